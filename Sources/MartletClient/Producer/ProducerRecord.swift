import Basics
import KafkaWire
import NIOCore

/// A record to be sent.
public struct ProducerRecord: Hashable, Sendable {
    public var topic: String
    /// Nil lets the producer choose: by the key's hash as Kafka's own clients do, or, without a key, one partition
    /// for the records of a batch and another for the next.
    public var partition: Int32?
    public var key: ByteBuffer?
    /// Nil deletes the key on a compacted topic.
    public var value: ByteBuffer?
    public var headers: [RecordHeader]
    /// Milliseconds since 1970; nil for now.
    public var timestamp: Milliseconds?

    public init(
        topic: String, partition: Int32? = nil, key: ByteBuffer? = nil, value: ByteBuffer?,
        headers: [RecordHeader] = [], timestamp: Milliseconds? = nil
    ) {
        self.topic = topic
        self.partition = partition
        self.key = key
        self.value = value
        self.headers = headers
        self.timestamp = timestamp
    }

    public init(topic: String, key: String? = nil, value: String) {
        self.init(topic: topic, key: key.map { ByteBuffer(string: $0) }, value: ByteBuffer(string: value))
    }

    /// The most bytes the record can take in a batch: lengths and deltas at their longest, 10 bytes each for the
    /// timestamp and 5 for the others.
    var maximumByteCount: Int {
        var bytes = 36 + (key?.readableBytes ?? 0) + (value?.readableBytes ?? 0)
        for header in headers {
            bytes += 10 + header.key.utf8.count + (header.value?.readableBytes ?? 0)
        }
        return bytes
    }
}

/// Where a record was stored.
public struct RecordMetadata: Hashable, Sendable {
    public var topic: String
    public var partition: Int32
    /// Nil if the broker did not tell: without acknowledgement, or when a retry met a batch stored long ago.
    public var offset: Int64?
    /// The time the broker gave the record, if its topic is configured so.
    public var appendTime: Milliseconds?
}
