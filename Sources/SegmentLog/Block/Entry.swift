import NIOCore

/// What a log entry is for; one byte on disk.
public enum EntryType: UInt8, Hashable, Sendable {
    /// A command for the state machine.
    case command = 0
    /// The entry a new leader commits first (Raft thesis §6.4).
    case noop = 1
    /// Asks to be told when everything before it has been applied.
    case barrier = 2
    /// A change of the cluster's members.
    case configuration = 3
}

/// One entry on its way into a block. Its index and term come with the block.
public struct Entry: Hashable, Sendable {
    public var type: EntryType
    /// What the state machine needs to apply the entry without its payload; at most `BlockLimits.headBytesMax`.
    /// Stored uncompressed.
    public var head: ByteBuffer
    /// At most `BlockLimits.entryPayloadBytesMax`.
    public var payload: ByteBuffer
    /// The payload was compressed by its producer: trying again would cost cycles and gain nothing.
    public var isCompressed: Bool
    /// CRC-32C of the payload, where somebody has it: the block's is made from those of its entries then, without a
    /// look at the bytes.
    public var payloadChecksum: UInt32?

    public init(
        type: EntryType = .command, head: ByteBuffer = ByteBuffer(), payload: ByteBuffer, isCompressed: Bool = false,
        payloadChecksum: UInt32? = nil
    ) {
        self.type = type
        self.head = head
        self.payload = payload
        self.isCompressed = isCompressed
        self.payloadChecksum = payloadChecksum
    }

    /// What the entry adds to a block before compression.
    public var encodedBytes: Int { Self.encodedBytes(head: head.readableBytes, payload: payload.readableBytes) }

    /// What an entry adds to a block before compression, by the bytes of its parts.
    public static func encodedBytes(head: Int, payload: Int) -> Int { BlockFormat.entryRecordBytes + head + payload }
}
