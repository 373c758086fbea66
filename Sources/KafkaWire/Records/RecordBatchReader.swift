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
        let layout = try records.withUnsafeReadableBytes { bytes throws(WireError) in
            var cursor = ByteCursor(bytes)
            return try RecordLayout(from: &cursor)
        }
        let stampedByBroker = header.attributes.timestampType == .logAppendTime
        let record = Record(
            offset: header.baseOffset &+ Int64(layout.offsetDelta),
            timestamp: stampedByBroker ? header.maxTimestamp : header.baseTimestamp &+ layout.timestampDelta,
            key: slice(layout.key),
            value: slice(layout.value),
            headers: RecordHeaders(count: layout.headerCount, encoded: slice(layout.headers) ?? ByteBuffer())
        )
        records.moveReaderIndex(forwardBy: layout.length)
        return record
    }

    private func slice(_ range: Range<Int>?) -> ByteBuffer? {
        guard let range else { return nil }
        return records.getSlice(at: records.readerIndex + range.lowerBound, length: range.count)
    }
}

/// Where the parts of a record are, counted from its first byte.
private struct RecordLayout {
    var length: Int
    var timestampDelta: Int64
    var offsetDelta: Int32
    var key: Range<Int>?
    var value: Range<Int>?
    var headerCount: Int
    /// Nil when there are none.
    var headers: Range<Int>?

    init(from cursor: inout ByteCursor) throws(WireError) {
        let claimed = Int(try cursor.varint())
        guard claimed >= 0, claimed <= cursor.remaining else { throw .invalidLength }
        length = cursor.position + claimed
        _ = try cursor.integer(as: Int8.self)
        timestampDelta = try cursor.varlong()
        offsetDelta = try cursor.varint()
        key = try cursor.nullableVarintBytes()
        value = try cursor.nullableVarintBytes()
        headerCount = Int(try cursor.varint())
        guard headerCount >= 0 else { throw .invalidLength }
        if headerCount > 0 {
            let start = cursor.position
            for _ in 0..<headerCount {
                guard try cursor.nullableVarintBytes() != nil else { throw .unexpectedNull }
                _ = try cursor.nullableVarintBytes()
            }
            headers = start..<cursor.position
        }
        guard cursor.position == length else { throw .invalidLength }
    }
}
