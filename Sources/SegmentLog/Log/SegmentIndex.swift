import Basics
import DequeModule

/// Which segments there are and where their blocks lie. Owned by its log, on the log's loop. Tables of sealed segments
/// are a cache of at most `tableBytesMax`; the active one's is always here.
struct SegmentIndex {
    struct Segment {
        var key: SegmentReader.FileKey
        /// Index of the last entry.
        var last: LogIndex
        /// Position behind the last block.
        var end: Int
        /// nil when it is to be read from disk.
        var table: SegmentTable?
        /// What the table costs in the cache; 0 for the active segment's.
        var cachedBytes = 0
        var lastUse: UInt64 = 0

        var base: LogIndex { key.base }
    }

    let tableBytesMax: Int
    private(set) var segments: Deque<Segment> = []
    private var cachedBytes = 0
    private var uses: UInt64 = 0
    private var generations: UInt64 = 0
    /// Where the log continues while it is empty.
    private var emptyFirstIndex = LogIndex(1)

    init(tableBytesMax: Int) { self.tableBytesMax = tableBytesMax }

    var firstIndex: LogIndex { segments.first?.base ?? emptyFirstIndex }
    var lastIndex: LogIndex { segments.last?.last ?? .zero }
    var active: Segment? { segments.last }

    /// Adds a segment behind the others.
    mutating func add(_ base: LogIndex, last: LogIndex, end: Int, table: SegmentTable?) {
        generations += 1
        segments.append(Segment(
            key: .init(base: base, generation: generations), last: last, end: end, table: table))
    }

    /// Begins a segment. Returns the table of the one that is sealed by that.
    mutating func roll(to base: LogIndex) -> SegmentTable? {
        let sealed = segments.last?.table
        let table = SegmentTable(segment: base)
        add(base, last: table.last, end: table.end, table: table)
        return sealed
    }

    mutating func append(_ location: BlockLocation) {
        // Taken out and put back: to change it in its place costs memory each time.
        var active = segments.removeLast()
        active.table?.append(location)
        active.last = location.last
        active.end = location.end
        segments.append(active)
    }

    /// Position in `segments` of the one that contains `index`.
    func find(_ index: LogIndex) -> Int? {
        var low = 0
        var high = segments.count
        while low < high {
            let middle = (low + high) / 2
            if segments[middle].last < index { low = middle + 1 } else { high = middle }
        }
        return low < segments.count && segments[low].base <= index ? low : nil
    }

    // MARK: Tables

    /// The table of a segment, which counts as a use of it.
    mutating func table(at position: Int) -> SegmentTable? {
        uses += 1
        segments[position].lastUse = uses
        return segments[position].table
    }

    /// Keeps the table of a sealed segment that was read from disk; not if damage has cut it short.
    mutating func keep(_ table: SegmentTable, at position: Int) {
        guard segments[position].table == nil, table.last == segments[position].last else { return }
        segments[position].table = table
        cacheTable(at: position)
    }

    /// Lets the cache have the tables of sealed segments that are on disk in whole, and can be read back.
    mutating func cacheTables(storedThrough index: LogIndex) {
        var position = segments.count - 2
        while position >= 0, segments[position].cachedBytes == 0, segments[position].table != nil {
            if segments[position].last <= index { cacheTable(at: position) }
            position -= 1
        }
    }

    private mutating func cacheTable(at position: Int) {
        let bytes = segments[position].table?.residentBytes ?? 0
        segments[position].cachedBytes = bytes
        cachedBytes += bytes
        while cachedBytes > tableBytesMax {
            let cached = segments.indices.filter { segments[$0].cachedBytes > 0 }
            guard let oldest = cached.min(by: { segments[$0].lastUse < segments[$1].lastUse }) else { return }
            uncacheTable(at: oldest)
            segments[oldest].table = nil
        }
    }

    private mutating func uncacheTable(at position: Int) {
        cachedBytes -= segments[position].cachedBytes
        segments[position].cachedBytes = 0
    }

    // MARK: Cutting

    /// Removes the blocks from the one that contains `index` on. `table` is that of the segment at `position`, which
    /// contains it, and `previous` that of the segment before, if nothing is left of the former: what then is the
    /// newest segment becomes the active one. Returns the segments that are gone, newest first.
    mutating func cut(
        from index: LogIndex, at position: Int, _ table: SegmentTable, previous: SegmentTable?
    ) -> [LogIndex] {
        emptyFirstIndex = firstIndex
        var table = table
        table.cut(from: index)
        let kept = table.blocks.isEmpty ? position : position + 1
        var dropped: [LogIndex] = []
        while segments.count > kept {
            uncacheTable(at: segments.count - 1)
            dropped.append(segments.removeLast().base)
        }
        guard let active = kept > position ? table : previous else { return dropped }
        uncacheTable(at: kept - 1)
        segments[kept - 1].table = active
        segments[kept - 1].last = active.last
        segments[kept - 1].end = active.end
        return dropped
    }

    /// Removes the sealed segments that end below `index`. Returns them, oldest first.
    mutating func drop(below index: LogIndex) -> [LogIndex] {
        var dropped: [LogIndex] = []
        while segments.count > 1, segments[0].last < index {
            uncacheTable(at: 0)
            dropped.append(segments.removeFirst().base)
        }
        return dropped
    }
}
