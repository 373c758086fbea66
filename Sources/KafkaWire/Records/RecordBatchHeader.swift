import NIOCore

/// The header of a record batch of format 2 (KIP-98), all integers big-endian.
///
/// | offset | size | field | in the CRC | set by the broker |
/// |---|---|---|---|---|
/// | 0 | 8 | base offset | no | yes |
/// | 8 | 4 | batch length: the bytes after this field | no | |
/// | 12 | 4 | partition leader epoch | no | yes |
/// | 16 | 1 | magic, 2 | no | |
/// | 17 | 4 | CRC-32C of everything from byte 21 on | – | |
/// | 21 | 2 | attributes, see ``RecordBatchAttributes`` | yes | bit 3, if it sets the timestamps |
/// | 23 | 4 | last offset delta | yes | |
/// | 27 | 8 | base timestamp | yes | |
/// | 35 | 8 | max timestamp | yes | if it sets the timestamps |
/// | 43 | 8 | producer id, −1 for none | yes | |
/// | 51 | 2 | producer epoch, −1 | yes | |
/// | 53 | 4 | base sequence, −1 | yes | |
/// | 57 | 4 | record count | yes | |
/// | 61 | … | records, one compressed block unless the codec is none | yes | |
public struct RecordBatchHeader: Hashable, Sendable {
    /// The size of a header.
    public static let byteCount = 61

    /// The only record format this module knows.
    public static let currentMagic: Int8 = 2

    /// Where the bytes begin that the CRC covers.
    static let checkedFrom = 21
    /// What the batch length does not count: the fields up to and including itself.
    static let lengthPrefix = 12
    static let magicAt = 16
    static let crcAt = 17
    static let attributesAt = 21
    static let maxTimestampAt = 35

    public var baseOffset: Int64
    public var batchLength: Int32
    public var partitionLeaderEpoch: Int32
    public var magic: Int8
    public var crc: UInt32
    public var attributes: RecordBatchAttributes
    public var lastOffsetDelta: Int32
    /// Milliseconds since 1970.
    public var baseTimestamp: Int64
    /// Milliseconds since 1970; as the producer claims, unless the broker set it.
    public var maxTimestamp: Int64
    public var producerID: Int64
    public var producerEpoch: Int16
    public var baseSequence: Int32
    public var recordCount: Int32

    /// Reads the fields as they are; nil when there are fewer than ``byteCount`` bytes. Nothing is checked.
    public init?(_ batch: UnsafeRawBufferPointer) {
        guard batch.count >= Self.byteCount else { return nil }
        baseOffset = batch.bigEndian(at: 0)
        batchLength = batch.bigEndian(at: 8)
        partitionLeaderEpoch = batch.bigEndian(at: 12)
        magic = batch.bigEndian(at: Self.magicAt)
        crc = batch.bigEndian(at: Self.crcAt)
        attributes = RecordBatchAttributes(rawValue: batch.bigEndian(at: Self.attributesAt))
        lastOffsetDelta = batch.bigEndian(at: 23)
        baseTimestamp = batch.bigEndian(at: 27)
        maxTimestamp = batch.bigEndian(at: Self.maxTimestampAt)
        producerID = batch.bigEndian(at: 43)
        producerEpoch = batch.bigEndian(at: 51)
        baseSequence = batch.bigEndian(at: 53)
        recordCount = batch.bigEndian(at: 57)
    }

    /// Reads the fields at the buffer's reader index, which stays.
    public init?(_ batch: ByteBuffer) {
        guard let header = batch.withUnsafeReadableBytes({ RecordBatchHeader($0) }) else { return nil }
        self = header
    }

    init(
        baseOffset: Int64, batchLength: Int32, partitionLeaderEpoch: Int32, magic: Int8, crc: UInt32,
        attributes: RecordBatchAttributes, lastOffsetDelta: Int32, baseTimestamp: Int64, maxTimestamp: Int64,
        producerID: Int64, producerEpoch: Int16, baseSequence: Int32, recordCount: Int32
    ) {
        self.baseOffset = baseOffset
        self.batchLength = batchLength
        self.partitionLeaderEpoch = partitionLeaderEpoch
        self.magic = magic
        self.crc = crc
        self.attributes = attributes
        self.lastOffsetDelta = lastOffsetDelta
        self.baseTimestamp = baseTimestamp
        self.maxTimestamp = maxTimestamp
        self.producerID = producerID
        self.producerEpoch = producerEpoch
        self.baseSequence = baseSequence
        self.recordCount = recordCount
    }

    func write(to buffer: inout ByteBuffer) {
        buffer.writeInteger(baseOffset)
        buffer.writeInteger(batchLength)
        buffer.writeInteger(partitionLeaderEpoch)
        buffer.writeInteger(magic)
        buffer.writeInteger(crc)
        buffer.writeInteger(attributes.rawValue)
        buffer.writeInteger(lastOffsetDelta)
        buffer.writeInteger(baseTimestamp)
        buffer.writeInteger(maxTimestamp)
        buffer.writeInteger(producerID)
        buffer.writeInteger(producerEpoch)
        buffer.writeInteger(baseSequence)
        buffer.writeInteger(recordCount)
    }

    /// The bytes of the whole batch. Not negative for any batch length.
    public var totalByteCount: Int { max(0, Int(batchLength) + Self.lengthPrefix) }

    public var lastOffset: Int64 { baseOffset &+ Int64(lastOffsetDelta) }

    /// Whether the batch came from an idempotent producer.
    public var hasProducerID: Bool { producerID >= 0 }

    /// The sequence number of the last record; sequences go on at 0 after `Int32.max`.
    public var lastSequence: Int32 {
        baseSequence < 0 ? -1 : Int32((Int64(baseSequence) + Int64(lastOffsetDelta)) & 0x7FFF_FFFF)
    }
}
