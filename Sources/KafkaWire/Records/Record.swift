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

    /// - Parameter encoded: `count` headers that were walked through and found whole.
    init(count: Int, encoded: ByteBuffer) {
        self.count = count
        self.encoded = encoded
    }

    public func makeIterator() -> Iterator {
        Iterator(rest: encoded)
    }

    public struct Iterator: IteratorProtocol {
        fileprivate var rest: ByteBuffer

        public mutating func next() -> RecordHeader? {
            guard rest.readableBytes > 0 else { return nil }
            // The bytes were walked through when the record was read, so nothing but their end stops this.
            let next = try? rest.withUnsafeReadableBytes { bytes throws(WireError) in
                var cursor = ByteCursor(bytes)
                let key = try cursor.string(Int(try cursor.varint()))
                return (key: key, value: try cursor.nullableVarintBytes(), length: cursor.position)
            }
            guard let next else { return nil }
            let value = next.value.flatMap { rest.getSlice(at: rest.readerIndex + $0.lowerBound, length: $0.count) }
            rest.moveReaderIndex(forwardBy: next.length)
            return RecordHeader(key: next.key, value: value)
        }
    }
}
