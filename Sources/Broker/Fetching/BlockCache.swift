import Basics
import DequeModule
import SegmentLog

/// Decompressed blocks that were read from disk, so that each is decompressed once for all batches in it.
///
/// Owner: its `Shard`. Bounded in bytes: the block that came first goes first.
struct BlockCache {
    private let bytesMax: Int
    private var bytes = 0
    private var blocks: [LogIndex: Block] = [:]
    /// Bases of the blocks held, ascending: the block of an index is found by binary search.
    private var bases: [LogIndex] = []
    private var arrivals: Deque<LogIndex> = []

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    func block(containing index: LogIndex) -> Block? {
        var low = 0, high = bases.count
        while low < high {
            let middle = (low + high) / 2
            if bases[middle] <= index { low = middle + 1 } else { high = middle }
        }
        guard low > 0, let block = blocks[bases[low - 1]], block.last >= index else { return nil }
        return block
    }

    mutating func insert(_ block: Block) {
        if let known = blocks[block.base] {
            // The same base under a newer term: the old block was cut off and replaced.
            bytes -= known.residentSize
        } else {
            bases.insert(block.base, at: bases.firstIndex { $0 > block.base } ?? bases.count)
            arrivals.append(block.base)
        }
        blocks[block.base] = block
        bytes += block.residentSize
        while bytes > bytesMax, arrivals.count > 1 { evictOldest() }
    }

    private mutating func evictOldest() {
        let base = arrivals.removeFirst()
        guard let block = blocks.removeValue(forKey: base) else { return }
        bytes -= block.residentSize
        if let position = bases.firstIndex(of: base) { bases.remove(at: position) }
    }
}
