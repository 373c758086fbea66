import Basics
import DequeModule

/// The newest blocks in memory. Owned by its log, on the log's loop; bounded by whoever calls `evict`, since only the
/// driver knows what followers and consumers still want.
///
/// Decompressed payloads beside compressed blocks have a bound of their own: the newest keep theirs, so that readers of
/// the tail never decompress; the older ones are decompressed again by who wants them.
struct BlockRing {
    private(set) var blocks: Deque<Block> = []
    /// What the blocks hold in memory.
    private(set) var bytes = 0
    /// What each block is counted with, decompressed payloads aside.
    private var charges: Deque<Int> = []
    /// The last large memory that is counted, which the next block may share; nil when no block is left that holds it.
    private var lastOwner: UnsafeRawPointer?
    private let payloadBytesMax: Int
    private var payloadBytes = 0
    /// Blocks at the front whose decompressed payload was dropped.
    private var bareCount = 0

    init(payloadBytesMax: Int) { self.payloadBytesMax = payloadBytesMax }

    var first: LogIndex? { blocks.first?.base }

    mutating func append(_ block: Block) {
        let charge = block.bytes.count == 1 ? block.encodedSize : block.bytes.heldBytes(besides: &lastOwner)
        blocks.append(block)
        charges.append(charge)
        bytes += charge + block.attachedPayloadBytes
        payloadBytes += block.attachedPayloadBytes
        while payloadBytes > payloadBytesMax, bareCount < blocks.count - 1 {
            let old = blocks[bareCount]
            blocks[bareCount] = old.withoutAttachedPayload
            bytes -= old.attachedPayloadBytes
            payloadBytes -= old.attachedPayloadBytes
            bareCount += 1
        }
    }

    mutating func cut(from index: LogIndex) {
        while let last = blocks.last, last.last >= index {
            forget(last, charges.removeLast())
            blocks.removeLast()
            lastOwner = nil
            bareCount = min(bareCount, blocks.count)
        }
    }

    /// Forgets the blocks that end below `index`.
    mutating func evict(below index: LogIndex) {
        while let first = blocks.first, first.last < index {
            forget(first, charges.removeFirst())
            blocks.removeFirst()
            bareCount = max(0, bareCount - 1)
        }
        if blocks.isEmpty { lastOwner = nil }
    }

    private mutating func forget(_ block: Block, _ charge: Int) {
        bytes -= charge + block.attachedPayloadBytes
        payloadBytes -= block.attachedPayloadBytes
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
