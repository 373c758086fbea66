import Basics
import NIOCore

/// One whole record batch: its header, and its bytes as they are stored and sent.
public struct RecordBatch: Hashable, Sendable {
    public private(set) var header: RecordBatchHeader
    public private(set) var bytes: ByteBuffer

    /// - Parameter bytes: exactly one batch.
    public init(_ bytes: ByteBuffer) throws(RecordBatchError) {
        guard let header = RecordBatchHeader(bytes), header.totalByteCount == bytes.readableBytes else {
            throw .invalidLength
        }
        guard header.magic == RecordBatchHeader.currentMagic else { throw .unsupportedMagic(header.magic) }
        self.header = header
        self.bytes = bytes
    }

    /// A batch just written, whose CRC is still to be computed.
    init(sealing bytes: ByteBuffer, header: RecordBatchHeader) {
        self.header = header
        self.bytes = bytes
        seal()
    }

    private mutating func seal() {
        header.crc = RecordBatchHeader.checksum(of: bytes)
        bytes.setInteger(header.crc, at: bytes.readerIndex + RecordBatchHeader.crcAt)
    }

    /// Whether the bytes are those its producer made.
    public var isIntact: Bool { RecordBatchHeader.checksum(of: bytes) == header.crc }

    /// Gives the batch its place in the partition. The CRC does not cover these 12 bytes and stays.
    ///
    /// Copies the bytes if another buffer shares them; ``Records/append(batch:baseOffset:leaderEpoch:)`` does the same
    /// on the way out without touching them.
    public mutating func assign(baseOffset: Int64, leaderEpoch: Int32) {
        header.baseOffset = baseOffset
        header.partitionLeaderEpoch = leaderEpoch
        bytes.setInteger(baseOffset, at: bytes.readerIndex)
        bytes.setInteger(leaderEpoch, at: bytes.readerIndex + RecordBatchHeader.lengthPrefix)
    }

    /// Gives all records the broker's time (`message.timestamp.type` = LogAppendTime), and the batch a new CRC.
    ///
    /// Copies the bytes if another buffer shares them.
    public mutating func setAppendTime(_ time: Milliseconds) {
        header.attributes.timestampType = .logAppendTime
        header.maxTimestamp = time
        let start = bytes.readerIndex
        bytes.setInteger(header.attributes.rawValue, at: start + RecordBatchHeader.attributesAt)
        bytes.setInteger(time, at: start + RecordBatchHeader.maxTimestampAt)
        seal()
    }
}

/// The batches of a Fetch response's blob, one after another.
///
/// A batch that is cut off ends them: older brokers cut the last one at the byte limit.
public struct RecordBatches: Sendable {
    private var rest: ByteBuffer

    public init(_ blob: ByteBuffer) {
        rest = blob
    }

    /// The next batch, a slice of the blob; nil at the end. Its CRC is not checked.
    ///
    /// - Throws: `.invalidLength` or `.unsupportedMagic` where the bytes are no batch; what follows is lost then.
    public mutating func next() throws(RecordBatchError) -> RecordBatch? {
        guard let header = RecordBatchHeader(rest) else { return nil }
        guard header.totalByteCount >= RecordBatchHeader.byteCount else { throw .invalidLength }
        guard let bytes = rest.readSlice(length: header.totalByteCount) else { return nil }
        return try RecordBatch(bytes)
    }
}
