import NIOCore

/// Reads the records of one batch, one by one.
///
/// Owned by its caller. Holds the batch and, if it is compressed, its block decompressed: at most the limit it was
/// given.
///
/// | field of a record | type |
/// |---|---|
/// | length of what follows | varint |
/// | attributes, 0 | int8 |
/// | timestamp, less the batch's base timestamp | varlong |
/// | offset, less the batch's base offset | varint |
/// | key | varint length, −1 for null, and bytes |
/// | value | varint length, −1 for null, and bytes |
/// | number of headers | varint |
/// | header: key, not null | varint length and UTF-8 |
/// | header: value | varint length, −1 for null, and bytes |
public struct RecordBatchReader: Sendable {
    public let header: RecordBatchHeader
    private var records: ByteBuffer
    private var recordsLeft: Int32

    /// - Parameters:
    ///   - batch: one whole batch. Its CRC is not checked, see ``RecordBatch/isIntact``.
    ///   - limit: the most bytes its records may have once decompressed.
    public init(_ batch: RecordBatch, limit: Int) throws(RecordBatchError) {
        header = batch.header
        guard let codec = header.attributes.codec else { throw .unsupportedCodec }
        guard header.recordCount >= 0 else { throw .inconsistentCount }
        var block = batch.bytes
        block.moveReaderIndex(forwardBy: RecordBatchHeader.byteCount)
        do {
            records = try Compression.decompress(block, with: codec, limit: limit)
        } catch {
            throw .compression(error)
        }
        recordsLeft = header.recordCount
    }

    /// The next record; nil after the last one.
    ///
    /// - Throws: `.malformedRecord` when the bytes are no record, or are left over after the last one.
    public mutating func next() throws(RecordBatchError) -> Record? {
        if recordsLeft == 0 {
            guard records.readableBytes == 0 else { throw .malformedRecord }
            return nil
        }
        recordsLeft -= 1
        do {
            return try readRecord()
        } catch {
            throw .malformedRecord
        }
    }

    private mutating func readRecord() throws(WireError) -> Record {
        let length = try records.readVarint()
        guard length >= 0, Int(length) <= records.readableBytes else { throw .truncated }
        let end = records.readerIndex + Int(length)
        guard records.readInteger(as: Int8.self) != nil else { throw .truncated }
        let timestampDelta = try records.readVarlong()
        let offsetDelta = try records.readVarint()
        let key = try records.readNullableVarintBytes()
        let value = try records.readNullableVarintBytes()
        let headerCount = try records.readVarint()
        guard headerCount >= 0 else { throw .invalidLength }
        let headers = headerCount == 0 ? RecordHeaders() : try RecordHeaders(count: Int(headerCount), from: &records)
        guard records.readerIndex == end else { throw .invalidLength }

        let stampedByBroker = header.attributes.timestampType == .logAppendTime
        return Record(
            offset: header.baseOffset &+ Int64(offsetDelta),
            timestamp: stampedByBroker ? header.maxTimestamp : header.baseTimestamp &+ timestampDelta,
            key: key,
            value: value,
            headers: headers
        )
    }
}
