import Basics

/// The sealed segments in which a partition has batches, found from the newest one in O(log n) steps, with O(log n) of
/// them in memory.
///
/// Each segment's `OffsetTable` names the partition's segment before it, and one further back: the jump (Myers, *An
/// applicative random-access stack*, 1983). In memory are only the newest segment and those that jumps lead to from
/// there. They are the roots of complete trees whose sizes grow towards the past, at most two of each size.
///
/// Owner: its `OffsetIndex`. 32 bytes for each root.
struct SegmentChain: Hashable {
    /// A sealed segment as the one behind it knows it.
    struct Link: Hashable {
        var segment: LogIndex
        /// Offset of the partition's first record in the segment.
        var firstOffset: Offset
        /// The largest timestamp of the partition in this segment and all before it.
        var maxTimestamp: Milliseconds
    }

    private struct Root: Hashable {
        var link: Link
        /// Segments from this one back to the one before the next root.
        var size: Int
    }

    /// Newest last.
    private var roots: [Root] = []

    var newest: Link? { roots.last?.link }
    /// The segments in memory, newest last.
    var links: [Link] { roots.map(\.link) }

    /// Adds a segment behind the others.
    ///
    /// - Parameter maxTimestamp: the largest in this segment.
    /// - Returns: what the segment's table is to remember.
    mutating func append(
        _ segment: LogIndex, firstOffset: Offset, maxTimestamp: Milliseconds
    ) -> (previous: Link?, jump: Link?) {
        let previous = newest
        var size = 1
        if roots.count >= 2, roots[roots.count - 1].size == roots[roots.count - 2].size {
            size += 2 * roots[roots.count - 1].size
            roots.removeLast(2)
        }
        let jump = newest
        let link = Link(
            segment: segment, firstOffset: firstOffset,
            maxTimestamp: max(maxTimestamp, previous?.maxTimestamp ?? maxTimestamp))
        roots.append(Root(link: link, size: size))
        return (previous, jump)
    }
}
