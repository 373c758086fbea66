import Basics
import NIOCore

/// Builds one record batch.
///
/// Owned by its caller; grows with the records appended to it, and does not bound them: ask ``byteCount`` before
/// appending.
public struct RecordBatchBuilder: Sendable {
    public var codec: Codec
    /// Identity and sequence of an idempotent producer; −1 for none.
    public var producerID: Int64 = -1
    public var producerEpoch: Int16 = -1
    public var baseSequence: Int32 = -1
    public var isTransactional = false
    public var baseOffset: Int64 = 0
    public var partitionLeaderEpoch: Int32 = -1

    public private(set) var recordCount: Int32 = 0
    private var records = ByteBuffer()
    private var baseTimestamp: Milliseconds = 0
    private var maxTimestamp: Milliseconds = 0

    public init(codec: Codec = .none) {
        self.codec = codec
    }

    public var isEmpty: Bool { recordCount == 0 }

    /// The size the batch would have without compression, header included.
    public var byteCount: Int { RecordBatchHeader.byteCount + records.readableBytes }

    /// Adds a record. Its offset is the next after the one before it.
    ///
    /// - Parameter timestamp: milliseconds since 1970. The first record's becomes the base of the batch.
    public mutating func append(
        key: ByteBuffer?, value: ByteBuffer?, headers: [RecordHeader] = [], timestamp: Milliseconds
    ) {
        if isEmpty {
            baseTimestamp = timestamp
            maxTimestamp = timestamp
        }
        maxTimestamp = max(maxTimestamp, timestamp)
        let timestampDelta = timestamp &- baseTimestamp

        var length = 1 + ByteBuffer.varlongSize(timestampDelta) + ByteBuffer.varlongSize(Int64(recordCount))
        length += Self.encodedSize(key) + Self.encodedSize(value)
        length += ByteBuffer.varlongSize(Int64(headers.count))
        for header in headers {
            let keyLength = header.key.utf8.count
            length += ByteBuffer.varlongSize(Int64(keyLength)) + keyLength + Self.encodedSize(header.value)
        }
        invariant(length <= Int(Int32.max), "a record is shorter than 2 GiB")

        records.writeVarint(Int32(length))
        records.writeInteger(0 as Int8)
        records.writeVarlong(timestampDelta)
        records.writeVarint(recordCount)
        records.writeNullableVarintBytes(key)
        records.writeNullableVarintBytes(value)
        records.writeVarint(Int32(headers.count))
        for header in headers {
            records.writeVarint(Int32(header.key.utf8.count))
            records.writeString(header.key)
            records.writeNullableVarintBytes(header.value)
        }
        recordCount += 1
    }

    private static func encodedSize(_ bytes: ByteBuffer?) -> Int {
        guard let bytes else { return 1 }
        return ByteBuffer.varlongSize(Int64(bytes.readableBytes)) + bytes.readableBytes
    }

    /// The batch, compressed, with its CRC. There must be a record in it.
    public func build() throws(CompressionError) -> RecordBatch {
        invariant(!isEmpty, "a batch has records")
        let block = try Compression.compress(records, with: codec)
        var batch = ByteBuffer()
        batch.reserveCapacity(RecordBatchHeader.byteCount + block.readableBytes)
        let header = header(blockBytes: block.readableBytes)
        header.write(to: &batch)
        batch.writeImmutableBuffer(block)
        return RecordBatch(sealing: batch, header: header)
    }

    private func header(blockBytes: Int) -> RecordBatchHeader {
        RecordBatchHeader(
            baseOffset: baseOffset,
            batchLength: Int32(RecordBatchHeader.byteCount - RecordBatchHeader.lengthPrefix + blockBytes),
            partitionLeaderEpoch: partitionLeaderEpoch,
            magic: RecordBatchHeader.currentMagic,
            crc: 0,
            attributes: RecordBatchAttributes(codec: codec, isTransactional: isTransactional),
            lastOffsetDelta: recordCount - 1,
            baseTimestamp: baseTimestamp,
            maxTimestamp: maxTimestamp,
            producerID: producerID,
            producerEpoch: producerEpoch,
            baseSequence: baseSequence,
            recordCount: recordCount
        )
    }
}
