import Basics

/// What must come from disk before a read can go on.
enum Missing: Hashable {
    /// The block that holds this index.
    case block(LogIndex)
    /// The offset table of this segment.
    case offsets(LogIndex)
}

/// Finds a partition's runs: those of the newest segment in memory, older ones through the tables of the sealed
/// segments, of which it looks at O(log n).
///
/// Owner: one reader, for one partition. It remembers how far it came and what it found, because the tables it has
/// looked at may have left memory when the next one, or a block, has come from disk.
struct OffsetLookup {
    enum Answer<Value> {
        case found(Value)
        case none
        case needs(Missing)
    }

    /// Consecutive runs of one segment, to the partition's end in it.
    struct Stretch {
        var runs: ArraySlice<OffsetIndex.Run>
        /// The offset behind the last of them.
        var endOffset: Offset
    }

    private let key: PartitionKey
    private let index: OffsetIndex
    private let nextOffset: Offset
    private let table: (_ segment: LogIndex) -> OffsetTable?
    /// The table to look at next for the offset or the time that is being looked for.
    private var link: SegmentChain.Link?
    /// What was found last in a sealed segment.
    private var known: Stretch?

    /// - Parameters:
    ///   - index: the partition's, up to `nextOffset`.
    ///   - table: the table of a segment, if that is in memory. One that was just loaded is.
    init(
        _ key: PartitionKey, _ index: OffsetIndex, nextOffset: Offset,
        table: @escaping (_ segment: LogIndex) -> OffsetTable?
    ) {
        self.key = key
        self.index = index
        self.nextOffset = nextOffset
        self.table = table
    }

    /// The runs from the one that contains `offset` on. After `.needs` it must be asked for the same offset again.
    mutating func stretch(from offset: Offset) -> Answer<Stretch> {
        guard offset < nextOffset else { return .none }
        if let position = index.runs.position(of: offset) {
            return .found(Stretch(runs: index.runs[position...], endOffset: nextOffset))
        }
        if let known, offset < known.endOffset, let position = known.runs.position(of: offset) {
            return .found(Stretch(runs: known.runs[position...], endOffset: known.endOffset))
        }
        link = link ?? index.sealed.newest
        while let here = link {
            guard let (table, partition) = part(of: here.segment) else { return .needs(.offsets(here.segment)) }
            if here.firstOffset <= offset {
                link = nil
                guard let position = table.runs[partition.runs].position(of: offset) else { return .none }
                let stretch = Stretch(
                    runs: table.runs[position..<partition.runs.upperBound], endOffset: partition.endOffset)
                known = stretch
                return .found(stretch)
            }
            if let jump = partition.jump, jump.firstOffset > offset {
                link = jump
            } else {
                link = partition.previous
            }
        }
        return .none
    }

    /// An offset before which no record has this timestamp or a later one, in the same segment as the first one that
    /// has. After `.needs` it must be asked for the same time again.
    mutating func lowerBound(of timestamp: Milliseconds) -> Answer<Offset> {
        guard let newest = index.sealed.newest, newest.maxTimestamp >= timestamp else {
            return .found(index.runs.first?.firstOffset ?? nextOffset)
        }
        var here = link ?? newest
        while true {
            guard let (_, partition) = part(of: here.segment) else {
                link = here
                return .needs(.offsets(here.segment))
            }
            if let jump = partition.jump, jump.maxTimestamp >= timestamp {
                here = jump
            } else if let previous = partition.previous, previous.maxTimestamp >= timestamp {
                here = previous
            } else {
                link = nil
                return .found(here.firstOffset)
            }
        }
    }

    /// The partition's part of a sealed segment's table, if that is in memory.
    private func part(of segment: LogIndex) -> (OffsetTable, OffsetTable.Partition)? {
        guard let table = table(segment) else { return nil }
        guard let partition = table[key] else {
            preconditionFailure("invariant broken: the table of segment \(segment) lacks partition \(key)")
        }
        return (table, partition)
    }
}
