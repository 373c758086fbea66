import Basics
import KafkaWire
import NIOCore

@testable import Broker

/// The requests that most tests make, for one partition.
extension SimulatedClient {
    /// The newest versions that name topics by their names.
    static let produceVersion: Int16 = 12
    static let fetchVersion: Int16 = 12

    /// Creates a topic, which must succeed.
    @discardableResult
    func createTopic(
        _ name: String, partitions: Int32 = 1, configs: [String: String] = [:]
    ) throws -> CreateTopicsResponse.Topic {
        let response = try call(
            CreateTopicsRequest { request in
                request.topics = [
                    CreateTopicsRequest.Topic {
                        $0.name = name
                        $0.numPartitions = partitions
                        $0.replicationFactor = -1
                        $0.configs = configs.sorted { $0.key < $1.key }.map { config in
                            CreateTopicsRequest.Config {
                                $0.name = config.key
                                $0.value = config.value
                            }
                        }
                    }
                ]
            })
        guard let topic = response.topics.first, topic.errorCode == .none else {
            throw UnexpectedAnswer("creating '\(name)': \(response.topics)")
        }
        return topic
    }

    /// A produce request for one partition of a topic.
    static func produceRequest(
        _ batch: ByteBuffer?, to name: String, partition: Int32 = 0, acks: Int16 = -1, timeout: Int32 = 30_000
    ) -> ProduceRequest {
        ProduceRequest { request in
            request.acks = acks
            request.timeoutMs = timeout
            request.topics = [
                ProduceRequest.Topic {
                    $0.name = name
                    $0.partitions = [
                        ProduceRequest.Partition {
                            $0.index = partition
                            $0.records = batch
                        }
                    ]
                }
            ]
        }
    }

    /// Produces one batch and waits for the answer.
    @discardableResult
    func produce(
        _ batch: ByteBuffer?, to name: String, partition: Int32 = 0, acks: Int16 = -1, timeout: Int32 = 30_000
    ) throws -> ProduceResponse.Partition {
        let request = Self.produceRequest(batch, to: name, partition: partition, acks: acks, timeout: timeout)
        return try only(call(request, version: Self.produceVersion).topics.first?.partitions)
    }

    /// A fetch request for one partition.
    static func fetchRequest(
        _ name: String, partition: Int32 = 0, from offset: Int64, maxBytes: Int32 = 1 << 20, maxWait: Int32 = 0,
        minBytes: Int32 = 1, _ set: (inout FetchRequest) -> Void = { _ in }
    ) -> FetchRequest {
        FetchRequest { request in
            request.maxWaitMs = maxWait
            request.minBytes = minBytes
            request.topics = [
                FetchRequest.Topic {
                    $0.name = name
                    $0.partitions = [
                        FetchRequest.Partition {
                            $0.partition = partition
                            $0.fetchOffset = offset
                            $0.partitionMaxBytes = maxBytes
                        }
                    ]
                }
            ]
            set(&request)
        }
    }

    /// Fetches from one partition, without waiting for data unless `maxWait` says so.
    func fetch(
        _ name: String, partition: Int32 = 0, from offset: Int64, maxBytes: Int32 = 1 << 20, maxWait: Int32 = 0,
        _ set: (inout FetchRequest) -> Void = { _ in }
    ) throws -> FetchResponse.Partition {
        let request = Self.fetchRequest(
            name, partition: partition, from: offset, maxBytes: maxBytes, maxWait: maxWait, set)
        return try only(call(request, version: Self.fetchVersion).topics.first?.partitions)
    }

    /// The values of all records from `offset` to the end of the partition, fetch after fetch.
    func consume(
        _ name: String, partition: Int32 = 0, from offset: Int64 = 0, maxBytes: Int32 = 1 << 20
    ) throws -> [String] {
        var values: [String] = []
        var next = offset
        while true {
            let answer = try fetch(name, partition: partition, from: next, maxBytes: maxBytes)
            guard answer.errorCode == .none else { throw UnexpectedAnswer("fetch at \(next): \(answer.errorCode)") }
            let records = try answer.readRecords()
            guard let last = records.last else { return values }
            for record in records where record.offset >= next {
                values.append(record.value.map { String(buffer: $0) } ?? "null")
            }
            next = last.offset + 1
        }
    }

    /// ListOffsets for one partition.
    func listOffset(
        _ name: String, partition: Int32 = 0, timestamp: Int64, epoch: Int32 = -1, version: Int16 = 10
    ) throws -> ListOffsetsResponse.Partition {
        let request = ListOffsetsRequest { request in
            request.replicaID = -1
            request.topics = [
                ListOffsetsRequest.Topic {
                    $0.name = name
                    $0.partitions = [
                        ListOffsetsRequest.Partition {
                            $0.partitionIndex = partition
                            $0.currentLeaderEpoch = epoch
                            $0.timestamp = timestamp
                        }
                    ]
                }
            ]
        }
        return try only(call(request, version: version).topics.first?.partitions)
    }

    /// DeleteRecords for one partition.
    func deleteRecords(
        _ name: String, partition: Int32 = 0, before offset: Int64, version: Int16? = nil
    ) throws -> DeleteRecordsResponse.Partition {
        let request = DeleteRecordsRequest { request in
            request.topics = [
                DeleteRecordsRequest.Topic {
                    $0.name = name
                    $0.partitions = [
                        DeleteRecordsRequest.Partition {
                            $0.partitionIndex = partition
                            $0.offset = offset
                        }
                    ]
                }
            ]
        }
        return try only(call(request, version: version).topics.first?.partitions)
    }

    /// OffsetForLeaderEpoch for one partition.
    func endOffset(
        _ name: String, partition: Int32 = 0, ofEpoch epoch: Int32, currentEpoch: Int32 = -1
    ) throws -> OffsetForLeaderEpochResponse.Partition {
        let request = OffsetForLeaderEpochRequest { request in
            request.topics = [
                OffsetForLeaderEpochRequest.Topic {
                    $0.name = name
                    $0.partitions = [
                        OffsetForLeaderEpochRequest.Partition {
                            $0.partition = partition
                            $0.currentLeaderEpoch = currentEpoch
                            $0.leaderEpoch = epoch
                        }
                    ]
                }
            ]
        }
        return try only(call(request).topics.first?.partitions)
    }

    private func only<Elements: Collection>(_ elements: Elements?) throws -> Elements.Element {
        guard let elements, elements.count == 1, let first = elements.first else {
            throw UnexpectedAnswer("not one partition: \(String(describing: elements))")
        }
        return first
    }
}

/// An answer that says something else than the test relies on.
struct UnexpectedAnswer: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

extension FetchResponse.Partition {
    /// Every record of every batch returned.
    func readRecords() throws -> [Record] {
        var records: [Record] = []
        var batches = RecordBatches(self.records.contiguous)
        while let batch = try batches.next() {
            guard batch.isIntact else { throw UnexpectedAnswer("a batch with a wrong checksum") }
            var reader = try RecordBatchReader(batch, limit: 64.mebibytes)
            while let record = try reader.next() { records.append(record) }
        }
        return records
    }

    /// The headers of the batches returned.
    func readHeaders() throws -> [RecordBatchHeader] {
        var headers: [RecordBatchHeader] = []
        var batches = RecordBatches(self.records.contiguous)
        while let batch = try batches.next() { headers.append(batch.header) }
        return headers
    }
}

extension ByteBuffer {
    /// An idempotent producer, and the sequence of a batch's first record.
    struct Producer {
        var id: Int64
        var epoch: Int16 = 0
        var sequence: Int32
    }

    /// A record batch as a producer sends it.
    static func batch(
        _ values: String..., codec: Codec = .none, producer: Producer? = nil,
        timestamps: [Milliseconds]? = nil, _ set: (inout RecordBatchBuilder) -> Void = { _ in }
    ) throws -> ByteBuffer {
        try batch(values, codec: codec, producer: producer, timestamps: timestamps, set)
    }

    static func batch(
        _ values: [String], codec: Codec = .none, producer: Producer? = nil,
        timestamps: [Milliseconds]? = nil, _ set: (inout RecordBatchBuilder) -> Void = { _ in }
    ) throws -> ByteBuffer {
        var builder = RecordBatchBuilder(codec: codec)
        if let producer {
            builder.producerID = producer.id
            builder.producerEpoch = producer.epoch
            builder.baseSequence = producer.sequence
        }
        for (position, value) in values.enumerated() {
            builder.append(
                key: nil, value: ByteBuffer(string: value), timestamp: timestamps?[position] ?? 1_800_000_000_000)
        }
        set(&builder)
        return try builder.build().bytes
    }
}
