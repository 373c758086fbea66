import Basics
import NIOCore

/// An entry as a block's directory tells it.
public struct EntryView: Hashable, Sendable {
    public var index: LogIndex
    public var type: EntryType
    public var head: ByteBuffer
    /// Where the entry's payload lies in the block's raw payload.
    public var payloadRange: Range<Int>

    /// The entry's payload in its block's raw payload.
    public func payload(in rawPayload: BlockPayload) -> ByteBuffer { rawPayload.slice(payloadRange) }
}

/// The entries of one block, walked without allocating.
public struct BlockEntries: Sequence, Hashable, Sendable {
    public let base: LogIndex
    public let count: Int
    /// Records, then heads; verified.
    let directory: ByteBuffer

    public var underestimatedCount: Int { count }

    public func makeIterator() -> Iterator { Iterator(self) }

    public struct Iterator: IteratorProtocol {
        private let entries: BlockEntries
        private var position = 0
        private var headStart: Int
        private var payloadStart = 0

        init(_ entries: BlockEntries) {
            self.entries = entries
            headStart = entries.directory.readerIndex + entries.count * BlockFormat.entryRecordBytes
        }

        public mutating func next() -> EntryView? {
            guard position < entries.count else { return nil }
            let directory = entries.directory
            let record = directory.readerIndex + position * BlockFormat.entryRecordBytes
            guard let word = directory.getInteger(at: record, endianness: .little, as: UInt64.self),
                let type = EntryType(rawValue: UInt8(truncatingIfNeeded: word)),
                let head = directory.getSlice(at: headStart, length: Int(UInt16(truncatingIfNeeded: word >> 16)))
            else { preconditionFailure("invariant broken: a verified directory became inconsistent") }
            let payloadLength = Int(word >> 32)
            defer {
                position += 1
                headStart += head.readableBytes
                payloadStart += payloadLength
            }
            return EntryView(
                index: entries.base + position, type: type, head: head,
                payloadRange: payloadStart ..< payloadStart + payloadLength)
        }
    }
}
