import Basics
import KafkaWire
import NIOCore

/// A record that was read. Key, value and headers are slices of the fetched bytes, or of a decompressed batch.
public struct ConsumerRecord: Hashable, Sendable {
    public var topic: String
    public var partition: Int32
    public var offset: Int64
    /// Milliseconds since 1970.
    public var timestamp: Milliseconds
    public var key: ByteBuffer?
    public var value: ByteBuffer?
    public var headers: RecordHeaders

    init(_ record: Record, from partition: TopicPartition) {
        topic = partition.topic
        self.partition = partition.partition
        offset = record.offset
        timestamp = record.timestamp
        key = record.key
        value = record.value
        headers = record.headers
    }
}
