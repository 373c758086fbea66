import Basics
import NIOCore

/// One record of a batch. Key, value and headers are slices of the batch, or of its decompressed block.
public struct Record: Hashable, Sendable {
    public var offset: Int64
    /// Milliseconds since 1970: the producer's time, or that of the append if the batch says so.
    public var timestamp: Milliseconds
    public var key: ByteBuffer?
    /// Null is a tombstone on a compacted topic.
    public var value: ByteBuffer?
    public var headers: RecordHeaders

    public init(
        offset: Int64, timestamp: Milliseconds, key: ByteBuffer?, value: ByteBuffer?,
        headers: RecordHeaders = RecordHeaders()
    ) {
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self.headers = headers
    }
}

/// A header of a record (KIP-82).
public struct RecordHeader: Hashable, Sendable {
    public var key: String
    public var value: ByteBuffer?

    public init(key: String, value: ByteBuffer?) {
        self.key = key
        self.value = value
    }
}

/// The headers of a record, decoded one by one as they are asked for.
public struct RecordHeaders: Sequence, Hashable, Sendable {
    public let count: Int
    private let encoded: ByteBuffer

    public init() {
        count = 0
        encoded = ByteBuffer()
    }

    /// Takes `count` headers from `buffer`, having walked through them once to see that they are whole.
    init(count: Int, from buffer: inout ByteBuffer) throws(WireError) {
        let start = buffer
        for _ in 0..<count {
            guard try buffer.skipNullableVarintBytes() else { throw .unexpectedNull }
            _ = try buffer.skipNullableVarintBytes()
        }
        guard let encoded = start.getSlice(at: start.readerIndex, length: buffer.readerIndex - start.readerIndex) else {
            throw .truncated
        }
        self.count = count
        self.encoded = encoded
    }

    public func makeIterator() -> Iterator {
        Iterator(rest: encoded)
    }

    public struct Iterator: IteratorProtocol {
        fileprivate var rest: ByteBuffer

        public mutating func next() -> RecordHeader? {
            // The bytes were walked through when the record was read, so nothing but their end stops this.
            guard rest.readableBytes > 0 else { return nil }
            do {
                guard let key = try rest.readNullableVarintBytes() else { return nil }
                return RecordHeader(key: String(buffer: key), value: try rest.readNullableVarintBytes())
            } catch {
                return nil
            }
        }
    }
}

extension ByteBuffer {
    /// Bytes behind a varint length, −1 for null: the form of keys, values and headers in a record.
    mutating func readNullableVarintBytes() throws(WireError) -> ByteBuffer? {
        let length = try readVarint()
        if length == -1 { return nil }
        guard length >= 0 else { throw .invalidLength }
        guard let bytes = readSlice(length: Int(length)) else { throw .truncated }
        return bytes
    }

    /// Passes over such bytes; false if they were null.
    mutating func skipNullableVarintBytes() throws(WireError) -> Bool {
        let length = try readVarint()
        if length == -1 { return false }
        guard length >= 0, Int(length) <= readableBytes else { throw .invalidLength }
        moveReaderIndex(forwardBy: Int(length))
        return true
    }

    mutating func writeNullableVarintBytes(_ bytes: ByteBuffer?) {
        guard let bytes else { return writeVarint(-1) }
        writeVarint(Int32(bytes.readableBytes))
        writeImmutableBuffer(bytes)
    }
}
