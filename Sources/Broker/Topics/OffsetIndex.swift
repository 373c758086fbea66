import Basics

/// Where a partition's offsets stand in the shard's log.
///
/// A sparse index of runs: "the partition's entries from `firstIndex` to `lastIndex` are consecutive batches, the
/// first of which has offset `firstOffset`". The heads of the blocks between tell the rest. A run covers at most
/// `spanBytesMax` of the log, so a reader never scans further than that. An entry that the state machine refused ends
/// a run, because it takes no offsets.
///
/// Owner: its `PartitionState`. 40 bytes a run: at most one for each span of the log in which the partition got data.
struct OffsetIndex {
    struct Run: Hashable, Sendable {
        var firstOffset: Offset
        var firstIndex: LogIndex
        var lastIndex: LogIndex
        /// The largest timestamp in the run.
        var maxTimestamp: Milliseconds
        /// Bytes of the run's batches, as their producers sent them.
        var bytes: Int
    }

    /// Bytes of log that one run may reach over: about a block.
    static let spanBytesMax = 256 * 1_024

    private(set) var runs: [Run] = []
    /// Bytes of all batches in the runs.
    private(set) var bytes = 0
    /// Where in the log the last run begins, in bytes; nil when no run may be continued.
    private var openRunStart: Int?

    /// Records that the entry at `index` took offsets from `offset` on.
    ///
    /// - Parameters:
    ///   - position: the bytes of all entries of the shard before this one.
    ///   - bytes: those of the entry's batch.
    mutating func append(offset: Offset, index: LogIndex, position: Int, timestamp: Milliseconds, bytes: Int) {
        self.bytes += bytes
        if let start = openRunStart, position - start < Self.spanBytesMax {
            runs[runs.count - 1].lastIndex = index
            runs[runs.count - 1].maxTimestamp = max(runs[runs.count - 1].maxTimestamp, timestamp)
            runs[runs.count - 1].bytes += bytes
        } else {
            runs.append(
                Run(firstOffset: offset, firstIndex: index, lastIndex: index, maxTimestamp: timestamp, bytes: bytes))
            openRunStart = position
        }
    }

    /// Records that an entry of the partition took no offsets: what follows begins a run of its own.
    mutating func closeRun() { openRunStart = nil }

    /// Drops the runs that end at or before `start`. The first one left may begin before it.
    ///
    /// - Parameter end: the offset behind the last run.
    mutating func trim(before start: Offset, end: Offset) {
        let dead = start == end ? runs.count : position(of: start) ?? 0
        guard dead > 0 else { return }
        if dead == runs.count { closeRun() }
        bytes -= runs[..<dead].reduce(0) { $0 + $1.bytes }
        runs.removeFirst(dead)
    }

    /// Position of the run that contains `offset`; nil when `offset` lies before the first run.
    func position(of offset: Offset) -> Int? {
        var low = 0, high = runs.count
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].firstOffset <= offset { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? nil : low - 1
    }

    /// Position of the first run, not before `first`, that holds a record with this timestamp or a later one.
    func position(ofTimestamp timestamp: Milliseconds, from first: Int = 0) -> Int? {
        runs.indices.dropFirst(first).first { runs[$0].maxTimestamp >= timestamp }
    }

    /// Position of the run, not before `first`, with the largest timestamp of all; of several, the first one.
    func positionOfMaxTimestamp(from first: Int = 0) -> Int? {
        guard let greatest = runs.dropFirst(first).map(\.maxTimestamp).max() else { return nil }
        return position(ofTimestamp: greatest, from: first)
    }
}
