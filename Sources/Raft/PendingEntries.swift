import DequeModule
import NIOCore
import SegmentLog

/// Commands that wait for a block. Their heads lie one behind the other in one buffer, so that a command of a few bytes
/// takes no memory of its own.
///
/// Owner: one `RaftNode`, which bounds it by `RaftConfiguration.pendingBytesMax`.
struct PendingEntries {
    private struct Pending {
        let type: EntryType
        let headBytes: Int
        let payload: ByteBuffer
        let isCompressed: Bool
        let payloadChecksum: UInt32?

        var encodedBytes: Int { Entry.encodedBytes(head: headBytes, payload: payload.readableBytes) }
    }

    private var entries: Deque<Pending> = []
    private var heads = ByteBuffer()
    /// What all of them add to blocks, before compression.
    private(set) var bytes = 0

    var isEmpty: Bool { entries.isEmpty }

    mutating func append(
        _ type: EntryType, _ payload: ByteBuffer, isCompressed: Bool, payloadChecksum: UInt32? = nil,
        _ writeHead: (inout ByteBuffer) -> Void
    ) {
        let start = heads.writerIndex
        writeHead(&heads)
        let entry = Pending(
            type: type, headBytes: heads.writerIndex - start, payload: payload, isCompressed: isCompressed,
            payloadChecksum: payloadChecksum)
        entries.append(entry)
        bytes += entry.encodedBytes
    }

    /// Takes a block's worth from the front: at least one, and no more than the target size beyond that.
    mutating func takeBlock(entriesMax: Int) -> [Entry] {
        var count = 0, taken = 0
        while count < min(entries.count, entriesMax),
            count == 0 || taken + entries[count].encodedBytes <= BlockLimits.targetBytes
        {
            taken += entries[count].encodedBytes
            count += 1
        }
        bytes -= taken
        let block = entries.prefix(count).map { pending in
            guard let head = heads.readSlice(length: pending.headBytes) else {
                preconditionFailure("each pending entry has its head")
            }
            return Entry(
                type: pending.type, head: head, payload: pending.payload, isCompressed: pending.isCompressed,
                payloadChecksum: pending.payloadChecksum)
        }
        entries.removeFirst(count)
        heads.discardReadBytes()
        return block
    }
}
