import KafkaWire
import NIOCore
import ServiceLifecycle

/// Sends records to a cluster, in batches.
///
/// ```swift
/// let producer = try Producer(KafkaClientConfiguration(bootstrapServers: [BrokerAddress("127.0.0.1:9092")!]))
/// try await withThrowingTaskGroup(of: Void.self) { group in
///     group.addTask { try await producer.run() }
///     let metadata = try await producer.send(ProducerRecord(topic: "orders", key: "42", value: "paid"))
///     print(metadata.offset ?? -1)
///     await producer.close()
///     try await group.waitForAll()
/// }
/// ```
///
/// Nothing leaves before ``run()`` runs: give the producer to a `ServiceGroup`, or run it in a task group or with
/// `async let` as above. Records sent before wait in the buffer.
///
/// Records of one partition are stored in the order in which the calls to ``enqueue(_:)`` or ``send(_:)`` came. By
/// default (``ProducerConfiguration/isIdempotent``) each is stored once, however often sending had to be repeated.
public final class Producer: Service, Sendable {
    private let configuration: ProducerConfiguration
    private let cluster: Cluster
    private let accumulator: Accumulator
    private let sender: ProducerSender

    /// - Throws: `invalidArgument` when a setting is outside its bounds.
    public init(
        _ client: KafkaClientConfiguration, _ configuration: ProducerConfiguration = ProducerConfiguration()
    ) throws(KafkaClientError) {
        try configuration.validate()
        self.configuration = configuration
        cluster = Cluster(client)
        accumulator = Accumulator(configuration)
        sender = ProducerSender(cluster, accumulator, configuration)
    }

    // MARK: - Sending

    /// Hands a record over and returns as soon as it is in the buffer; suspends while the buffer is full.
    ///
    /// - Returns: the record's delivery, to be awaited or not. Failures nobody awaits come to light in ``flush()``.
    /// - Throws: `unknownTopic`, `unknownPartition`, `recordTooLarge`, `closed`, or `cancelled` when the task is
    ///   cancelled while it waits.
    @discardableResult
    public func enqueue(_ record: ProducerRecord) async throws(KafkaClientError) -> Delivery {
        let bytes = record.maximumByteCount
        guard bytes <= configuration.requestBytes else {
            throw KafkaClientError(
                .recordTooLarge, "a record of \(bytes) bytes is larger than a request: \(configuration.requestBytes)")
        }
        return try await append(topic: record.topic, bytes: bytes) { reserved throws(KafkaClientError) in
            try accumulator.append(record, bytes: bytes, reserved: reserved)
        }
    }

    /// Sends a record and waits until it is stored.
    ///
    /// Await many of these at once, or use ``enqueue(_:)``: one after the other they cost a round trip each.
    ///
    /// - Throws: as ``enqueue(_:)``, and what kept the record from being stored. A cancelled task stops waiting; its
    ///   record may be stored all the same.
    public func send(_ record: ProducerRecord) async throws(KafkaClientError) -> RecordMetadata {
        try await enqueue(record).metadata
    }

    /// Sends a batch that was built before, and waits until it is stored.
    ///
    /// It goes out by itself, behind the records enqueued before it for its partition. The producer replaces its
    /// producer id and sequence by its own.
    ///
    /// - Returns: where the first record was stored.
    public func send(
        batch: RecordBatch, to partition: TopicPartition
    ) async throws(KafkaClientError) -> RecordMetadata {
        let bytes = batch.bytes.readableBytes
        guard bytes <= configuration.bufferBytes else {
            throw KafkaClientError(
                .recordTooLarge, "a batch of \(bytes) bytes is larger than the buffer: \(configuration.bufferBytes)")
        }
        let delivery = try await append(topic: partition.topic, bytes: bytes) { reserved throws(KafkaClientError) in
            try accumulator.append(batch, to: partition, bytes: bytes, reserved: reserved)
        }
        return try await delivery.metadata
    }

    /// Appends once the topic is known and there is room.
    private func append(
        topic: String, bytes: Int, _ attempt: (_ reserved: Bool) throws(KafkaClientError) -> Accumulator.Appended
    ) async throws(KafkaClientError) -> Delivery {
        var reserved = false
        while true {
            switch try attempt(reserved) {
            case .done(let delivery, let isNews):
                if isNews { sender.wake() }
                return delivery
            case .unknownTopic:
                let partitions = try await cluster.partitions(of: topic, creating: configuration.createsTopics)
                accumulator.update(topic, partitionCount: partitions.count)
            case .full:
                try await accumulator.waitForRoom(bytes)
                reserved = true
            }
        }
    }

    /// Sends at once what lingers, and waits until every record enqueued so far is stored or has failed.
    ///
    /// - Throws: the first failure of any record since the last flush; `cancelled` when the task is cancelled.
    public func flush() async throws(KafkaClientError) {
        let batches = accumulator.beginFlush()
        sender.wake()
        var isCancelled = false
        for batch in batches {
            do {
                _ = try await batch.receipt()
            } catch {
                isCancelled = isCancelled || error.code == .cancelled
            }
        }
        let failure = accumulator.endFlush()
        if isCancelled { throw .cancelled }
        if let failure { throw failure }
    }

    // MARK: - Life

    /// Sends until the producer is closed. On graceful shutdown it refuses new records and finishes with the old ones;
    /// when the task is cancelled, it gives them up.
    ///
    /// - Throws: ``KafkaClientError`` when the cluster has no use for this producer, for example because it does not
    ///   know idempotent producers; `invalidArgument` when called a second time.
    public func run() async throws {
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                try await sender.run()
            } onGracefulShutdown: {
                self.accumulator.close()
                self.sender.wake()
            }
        } onCancel: {
            self.accumulator.close()
        }
    }

    /// Refuses new records, waits until the old ones are stored or have failed, and ends ``run()``. Without a running
    /// ``run()`` what was not sent fails with `closed`.
    public func close() async {
        accumulator.close()
        sender.wake()
        await sender.stopped()
    }
}
