import Basics
import DequeModule
import KafkaWire
import NIOCore

/// The records of one partition that wait to be sent: whole batches, then one that still takes records.
///
/// Owned by the accumulator, under its lock; bounded by the accumulator's bytes.
struct PartitionQueue {
    /// A batch that takes no more records.
    struct Sealed {
        enum Content {
            case builder(RecordBatchBuilder)
            case batch(RecordBatch)
        }

        var content: Content
        var delivery: BatchDelivery
        var reservedBytes: Int
        var since: NIODeadline
    }

    private struct Open {
        var builder: RecordBatchBuilder
        let delivery: BatchDelivery
        var reservedBytes = 0
        let since = NIODeadline.now()

        mutating func append(_ record: ProducerRecord, bytes: Int, timestamp: Milliseconds) -> Delivery {
            let position = builder.recordCount
            builder.append(key: record.key, value: record.value, headers: record.headers, timestamp: timestamp)
            reservedBytes += bytes
            return Delivery(batch: delivery, position: position)
        }

        var sealed: Sealed {
            Sealed(content: .builder(builder), delivery: delivery, reservedBytes: reservedBytes, since: since)
        }
    }

    private let partition: TopicPartition
    private var sealed: Deque<Sealed> = []
    private var open: Open?

    init(_ partition: TopicPartition) {
        self.partition = partition
    }

    var isEmpty: Bool { sealed.isEmpty && open == nil }

    enum Appended {
        /// To a batch that had records already.
        case joined(Delivery)
        /// As the first of a new batch.
        case opened(Delivery)
    }

    /// Adds a record, in a new batch if the present one has no room for `bytes` more.
    mutating func append(
        _ record: ProducerRecord, bytes: Int, timestamp: Milliseconds, batchBytes: Int, codec: Codec
    ) -> Appended {
        if let size = open?.builder.byteCount, size + bytes > batchBytes { seal() }
        // In place: a copy of the builder would copy all its bytes.
        if let delivery = open?.append(record, bytes: bytes, timestamp: timestamp) { return .joined(delivery) }
        var fresh = Open(builder: RecordBatchBuilder(codec: codec), delivery: BatchDelivery(partition))
        let delivery = fresh.append(record, bytes: bytes, timestamp: timestamp)
        open = fresh
        return .opened(delivery)
    }

    /// Adds a batch as it is, behind all records that came before.
    mutating func append(_ batch: RecordBatch, bytes: Int) -> Delivery {
        seal()
        let delivery = BatchDelivery(partition)
        sealed.append(Sealed(content: .batch(batch), delivery: delivery, reservedBytes: bytes, since: .now()))
        return Delivery(batch: delivery, position: 0)
    }

    private mutating func seal() {
        if let open { sealed.append(open.sealed) }
        open = nil
    }

    enum Next {
        case batch(Sealed)
        /// The open batch may still grow until then.
        case due(NIODeadline)
        case nothing
    }

    /// The next batch to send.
    ///
    /// - Parameters:
    ///   - linger: how long the open batch may wait for more records; nil if it may not.
    mutating func next(now: NIODeadline, linger: TimeAmount?) -> Next {
        if let batch = sealed.popFirst() { return .batch(batch) }
        guard let open else { return .nothing }
        if let linger, now < open.since + linger { return .due(open.since + linger) }
        self.open = nil
        return .batch(open.sealed)
    }

    /// Takes out the batches whose first record came before `limit`.
    mutating func removeExpired(before limit: NIODeadline) -> [Sealed] {
        if let open, open.since <= limit { seal() }
        let expired = sealed.prefix { $0.since <= limit }
        sealed.removeFirst(expired.count)
        return Array(expired)
    }

    /// Takes everything out.
    mutating func removeAll() -> [Sealed] {
        seal()
        defer { sealed = [] }
        return Array(sealed)
    }
}
