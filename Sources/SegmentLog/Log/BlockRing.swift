import Basics
import DequeModule

/// The newest blocks in memory. Owned by its log, on the log's loop; bounded by whoever calls `evict`, since only the
/// driver knows what followers and consumers still want.
struct BlockRing {
    private(set) var blocks: Deque<Block> = []
    /// What the blocks hold in memory.
    private(set) var bytes = 0

    var first: LogIndex? { blocks.first?.base }

    mutating func append(_ block: Block) {
        blocks.append(block)
        bytes += block.residentSize
    }

    mutating func cut(from index: LogIndex) {
        while let last = blocks.last, last.last >= index {
            blocks.removeLast()
            bytes -= last.residentSize
        }
    }

    /// Forgets the blocks that end below `index`.
    mutating func evict(below index: LogIndex) {
        while let first = blocks.first, first.last < index {
            blocks.removeFirst()
            bytes -= first.residentSize
        }
    }

    /// Position of the block that contains `index`.
    func find(_ index: LogIndex) -> Int? {
        var low = 0
        var high = blocks.count
        while low < high {
            let middle = (low + high) / 2
            if blocks[middle].last < index { low = middle + 1 } else { high = middle }
        }
        return low < blocks.count && blocks[low].base <= index ? low : nil
    }
}
