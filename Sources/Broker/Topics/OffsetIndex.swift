import Basics

/// Where a partition's offsets stand in the shard's log.
///
/// A sparse index of runs: "the partition's entries from `firstIndex` to `lastIndex` are consecutive batches, the
/// first of which has offset `firstOffset`". The heads of the blocks between tell the rest. A run covers at most
/// `spanBytesMax` of the log, so a reader never scans further than that. An entry that the state machine refused ends
/// a run, because it takes no offsets; so does the end of a segment.
///
/// Only the runs of the segment being written are here. Those of a sealed segment are in its `OffsetTable`, on disk,
/// where the chain leads to: so the memory does not grow with the log.
///
/// Owner: its `PartitionState`. 32 bytes a run: at most one for each span of the log in which the partition got data.
struct OffsetIndex {
    struct Run: Hashable, Sendable {
        var firstOffset: Offset
        var firstIndex: LogIndex
        var lastIndex: LogIndex
        /// The largest timestamp in the run.
        var maxTimestamp: Milliseconds

        /// What is left of the run from a batch in it on: the first one at `index` or behind it, which has `offset`.
        func rest(from offset: Offset, at index: LogIndex) -> Run {
            guard index > firstIndex else { return self }
            var rest = self
            rest.firstOffset = offset
            rest.firstIndex = index
            return rest
        }
    }

    /// Bytes of log that one run may reach over: about a block.
    static let spanBytesMax = 256 * 1_024

    /// In the segment being written.
    private(set) var runs: [Run] = []
    /// The segments before it.
    private(set) var sealed = SegmentChain()
    /// Where in the log the last run begins, in bytes; nil when no run may be continued.
    private var openRunStart: Int?

    /// Records that the entry at `index` took offsets from `offset` on.
    ///
    /// - Parameter position: the bytes of all entries of the shard before this one.
    mutating func append(offset: Offset, index: LogIndex, position: Int, timestamp: Milliseconds) {
        if let start = openRunStart, position - start < Self.spanBytesMax {
            runs[runs.count - 1].lastIndex = index
            runs[runs.count - 1].maxTimestamp = max(runs[runs.count - 1].maxTimestamp, timestamp)
        } else {
            runs.append(Run(firstOffset: offset, firstIndex: index, lastIndex: index, maxTimestamp: timestamp))
            openRunStart = position
        }
    }

    /// Records that an entry of the partition took no offsets: what follows begins a run of its own.
    mutating func closeRun() { openRunStart = nil }

    /// Moves the runs to the table of the segment that was sealed. There must be some.
    mutating func seal(into table: inout OffsetTable, key: PartitionKey, endOffset: Offset) {
        guard let first = runs.first, let greatest = maxTimestamp else {
            preconditionFailure("invariant broken: partition \(key) has nothing in segment \(table.segment)")
        }
        let links = sealed.append(table.segment, firstOffset: first.firstOffset, maxTimestamp: greatest)
        table.append(key, runs, endOffset: endOffset, links: links)
        runs = []
        openRunStart = nil
    }

    /// The largest timestamp in the segment being written.
    var maxTimestamp: Milliseconds? { runs.map(\.maxTimestamp).max() }
}

extension RandomAccessCollection<OffsetIndex.Run> where Index == Int {
    /// Position of the run that contains `offset`; nil when `offset` lies before the first run.
    func position(of offset: Offset) -> Int? {
        var low = startIndex, high = endIndex
        while low < high {
            let middle = (low + high) / 2
            if self[middle].firstOffset <= offset { low = middle + 1 } else { high = middle }
        }
        return low == startIndex ? nil : low - 1
    }
}
