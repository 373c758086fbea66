import KafkaWire
import MartletClient
import NIOCore
import Synchronization

/// A topic in memory that checks sequences as a broker does, and answers Produce, Fetch, ListOffsets and Metadata.
final class FakeTopic: Sendable {
    struct Partition {
        var batches: [RecordBatch] = []
        var nextOffset: Int64 = 0
        /// By producer id: the sequence expected next.
        var sequences: [Int64: Int32] = [:]
        /// By producer id and base sequence: where it was stored.
        var stored: [String: Int64] = [:]
        var leader: Int32 = 0
        var leaderEpoch: Int32 = 1
    }

    let name: String
    let id = TopicID(high: 7, low: 7)
    private let partitions: Mutex<[Partition]>

    init(_ name: String, partitions: Int) {
        self.name = name
        self.partitions = Mutex(Array(repeating: Partition(), count: partitions))
    }

    func update(_ partition: Int, _ change: (inout Partition) -> Void) {
        partitions.withLock { change(&$0[partition]) }
    }

    /// All values of a partition, in order.
    func values(_ partition: Int) throws -> [String] {
        let batches = partitions.withLock { $0[partition].batches }
        return try batches.flatMap { batch in
            var values: [String] = []
            var reader = try RecordBatchReader(batch, limit: 1 << 28)
            while let record = try reader.next() { values.append(record.value.map { String(buffer: $0) } ?? "") }
            return values
        }
    }

    func batchCount(_ partition: Int) -> Int { partitions.withLock { $0[partition].batches.count } }

    // MARK: - Requests

    func metadata(_ brokers: [Int32: BrokerAddress]) -> MetadataResponse {
        MetadataResponse {
            $0.brokers = brokers.map { node, address in
                .init {
                    $0.nodeID = node
                    $0.host = address.host
                    $0.port = Int32(address.port)
                }
            }
            $0.controllerID = brokers.keys.min() ?? -1
            $0.topics = [
                .init {
                    $0.name = name
                    $0.topicID = id
                    $0.partitions = partitions.withLock { $0 }.enumerated().map { index, partition in
                        .init {
                            $0.partitionIndex = Int32(index)
                            $0.leaderID = partition.leader
                            $0.leaderEpoch = partition.leaderEpoch
                        }
                    }
                }
            ]
        }
    }

    /// Stores every batch of the request.
    func produce(_ request: ProduceRequest) -> ProduceResponse {
        Self.response(request) { index, bytes in
            guard let batch = try? RecordBatch(bytes), batch.isIntact else { return (.corruptMessage, -1) }
            return self.append(batch, to: Int(index))
        }
    }

    /// Answers for every partition of a request without storing anything.
    static func response(
        _ request: ProduceRequest, _ answer: (Int32, ByteBuffer) -> (ErrorCode, Int64)
    ) -> ProduceResponse {
        ProduceResponse {
            $0.topics = request.topics.map { topic in
                .init {
                    $0.name = topic.name
                    $0.topicID = topic.topicID
                    $0.partitions = topic.partitions.map { partition in
                        let (code, offset) = answer(partition.index, partition.records ?? ByteBuffer())
                        return .init {
                            $0.index = partition.index
                            $0.errorCode = code
                            $0.baseOffset = offset
                        }
                    }
                }
            }
        }
    }

    private func append(_ batch: RecordBatch, to index: Int) -> (ErrorCode, Int64) {
        partitions.withLock { partitions in
            let header = batch.header
            if header.hasProducerID {
                if let offset = partitions[index].stored["\(header.producerID)/\(header.baseSequence)"] {
                    return (.none, offset)
                }
                let expected = partitions[index].sequences[header.producerID] ?? 0
                guard header.baseSequence == expected else { return (.outOfOrderSequenceNumber, -1) }
                partitions[index].sequences[header.producerID] = header.lastSequence + 1
            }
            let offset = partitions[index].nextOffset
            partitions[index].stored["\(header.producerID)/\(header.baseSequence)"] = offset
            var placed = batch
            placed.assign(baseOffset: offset, leaderEpoch: 1)
            partitions[index].batches.append(placed)
            partitions[index].nextOffset += Int64(header.recordCount)
            return (.none, offset)
        }
    }

    func listOffsets(_ request: ListOffsetsRequest) -> ListOffsetsResponse {
        ListOffsetsResponse {
            $0.topics = request.topics.map { topic in
                .init {
                    $0.name = topic.name
                    $0.partitions = topic.partitions.map { asked in
                        let end = partitions.withLock { $0[Int(asked.partitionIndex)].nextOffset }
                        return .init {
                            $0.partitionIndex = asked.partitionIndex
                            $0.offset = asked.timestamp == ListOffsetsRequest.Timestamp.latest ? end : 0
                        }
                    }
                }
            }
        }
    }

    /// Gives out at most `batches` batches of each partition, from the one that has the offset asked for.
    func fetch(_ request: FetchRequest, batches limit: Int = .max) -> FetchResponse {
        FetchResponse {
            $0.topics = request.topics.map { topic in
                .init {
                    $0.name = topic.name
                    $0.topicID = topic.topicID
                    $0.partitions = topic.partitions.map { asked in
                        let partition = partitions.withLock { $0[Int(asked.partition)] }
                        return .init {
                            $0.partitionIndex = asked.partition
                            $0.errorCode =
                                (0...partition.nextOffset).contains(asked.fetchOffset) ? .none : .offsetOutOfRange
                            for batch in partition.batches.filter({ $0.header.lastOffset >= asked.fetchOffset })
                                .prefix(limit)
                            {
                                $0.records.append(batch.bytes)
                            }
                        }
                    }
                }
            }
        }
    }
}

/// One broker with one topic, and clients for it.
struct OneBroker {
    let broker: ScriptedBroker
    let topic: FakeTopic

    init(partitions: Int = 1) async throws {
        let broker = try await ScriptedBroker.start()
        let topic = FakeTopic("orders", partitions: partitions)
        self.broker = broker
        self.topic = topic
        broker.update {
            $0.metadata = { _ in topic.metadata([0: broker.address]) }
            $0.produce = { request in .answer(topic.produce(request)) }
            $0.fetch = { request in .answer(topic.fetch(request)) }
            $0.listOffsets = { request in topic.listOffsets(request) }
        }
    }

    var client: KafkaClientConfiguration {
        var client = KafkaClientConfiguration(bootstrapServers: [broker.address])
        client.retryBackoff = .milliseconds(1)
        client.retryBackoffMaximum = .milliseconds(5)
        client.operationTimeout = .seconds(20)
        return client
    }

    /// Appends one batch of values, as if a producer had sent it.
    func fill(_ values: [String], partition: Int32 = 0, codec: Codec = .none) throws {
        var builder = RecordBatchBuilder(codec: codec)
        for value in values { builder.append(key: nil, value: ByteBuffer(string: value), timestamp: 1_000) }
        let bytes = try builder.build().bytes
        _ = topic.produce(
            ProduceRequest {
                $0.topics = [
                    .init {
                        $0.name = "orders"
                        $0.partitions = [
                            .init {
                                $0.index = partition
                                $0.records = bytes
                            }
                        ]
                    }
                ]
            })
    }
}

/// Runs a producer for the time of `body`.
func withProducer<Result: Sendable>(
    _ client: KafkaClientConfiguration, _ configuration: ProducerConfiguration = ProducerConfiguration(),
    _ body: (Producer) async throws -> Result
) async throws -> Result {
    let producer = try Producer(client, configuration)
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await producer.run() }
        let result = try await body(producer)
        await producer.close()
        try await group.waitForAll()
        return result
    }
}
