import Basics
import SegmentLog

/// Where a partition's offsets stand in the shard's log.
///
/// One run per block that holds batches of the partition: "the partition's entries from `firstIndex` to `lastIndex`
/// are consecutive batches, the first of which has offset `firstOffset`". Inside a block the directory tells the rest.
/// An entry that the state machine refused ends a run, because it takes no offsets.
///
/// Owner: its `PartitionState`. 32 bytes a run, so about 128 bytes for each MiB of a busy log.
struct OffsetIndex {
    struct Run: Hashable, Sendable {
        var firstOffset: Offset
        var firstIndex: LogIndex
        var lastIndex: LogIndex
        /// The largest timestamp in the run.
        var maxTimestamp: Milliseconds
    }

    private(set) var runs: [Run] = []
    /// The block that the last run is in; a run never leaves its block.
    private var lastBlock: LogIndex = .zero
    private var isLastRunOpen = false

    /// Records that the entry at `index`, in the block beginning at `block`, took offsets from `offset` on.
    mutating func append(offset: Offset, index: LogIndex, block: LogIndex, timestamp: Milliseconds) {
        if isLastRunOpen, block == lastBlock {
            runs[runs.count - 1].lastIndex = index
            runs[runs.count - 1].maxTimestamp = max(runs[runs.count - 1].maxTimestamp, timestamp)
        } else {
            runs.append(Run(firstOffset: offset, firstIndex: index, lastIndex: index, maxTimestamp: timestamp))
            lastBlock = block
            isLastRunOpen = true
        }
    }

    /// Records that an entry of the partition took no offsets: what follows begins a run of its own.
    mutating func closeRun() { isLastRunOpen = false }

    /// Position of the run that contains `offset`; nil when `offset` lies before the first run.
    func position(of offset: Offset) -> Int? {
        var low = 0, high = runs.count
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].firstOffset <= offset { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? nil : low - 1
    }

    /// Position of the first run that holds a record with this timestamp or a later one.
    func position(ofTimestamp timestamp: Milliseconds) -> Int? {
        runs.firstIndex { $0.maxTimestamp >= timestamp }
    }

    /// Position of the run with the largest timestamp of all; the first one if there are several.
    func positionOfMaxTimestamp() -> Int? {
        guard let greatest = runs.map(\.maxTimestamp).max() else { return nil }
        return runs.firstIndex { $0.maxTimestamp == greatest }
    }
}
