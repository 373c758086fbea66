import KafkaWire
import NIOCore
import Synchronization
import Testing

@testable import MartletClient

@Suite("Admin", .timeLimit(.minutes(1)))
struct AdminTests {
    @Test("creating asks again while there is no controller, and tells a broker's refusal")
    func create() async throws {
        let one = try await OneBroker()
        let answers = Mutex<[ErrorCode]>([.notController, .none, .topicAlreadyExists])
        let asked = Mutex<[CreateTopicsRequest.Topic]>([])
        one.broker.update {
            $0.createTopics = { request in
                asked.withLock { $0 += request.topics }
                return CreateTopicsResponse {
                    $0.topics = request.topics.map { topic in
                        .init {
                            $0.name = topic.name
                            $0.errorCode = answers.withLock { $0.removeFirst() }
                            $0.errorMessage = "because"
                        }
                    }
                }
            }
        }
        let admin = Admin(one.client)
        let topic = NewTopic("events", partitions: 3, configs: ["retention.ms": "1"])
        try await admin.createTopic(topic)
        #expect(asked.withLock { $0.map(\.numPartitions) } == [3, 3])
        #expect(asked.withLock { $0[0].configs.map(\.name) } == ["retention.ms"])
        let error = await #expect(throws: KafkaClientError.self) { try await admin.createTopic(topic) }
        #expect(error?.brokerError == .topicAlreadyExists)
        #expect(error?.message.contains("because") == true)
        await admin.close()
        try await one.broker.stop()
    }

    @Test("offsets are told for each partition")
    func offsets() async throws {
        let one = try await OneBroker(partitions: 2)
        try one.fill(["a", "b", "c"], partition: 1)
        let admin = Admin(one.client)
        let partitions = [TopicPartition("orders", 0), TopicPartition("orders", 1)]
        #expect(try await admin.offsets(of: partitions, at: .end) == [partitions[0]: 0, partitions[1]: 3])
        #expect(try await admin.offsets(of: partitions, at: .beginning) == [partitions[0]: 0, partitions[1]: 0])
        await #expect(throws: KafkaClientError.self) {
            try await admin.offsets(of: [TopicPartition("orders", 2)], at: .end)
        }
        await admin.close()
        try await one.broker.stop()
    }

    @Test("settings are set and removed one by one")
    func alter() async throws {
        let one = try await OneBroker()
        let asked = Mutex<[IncrementalAlterConfigsRequest]>([])
        one.broker.update {
            $0.answer(IncrementalAlterConfigsRequest.self) { request in
                asked.withLock { $0.append(request) }
                return IncrementalAlterConfigsResponse {
                    $0.results = [.init { $0.errorCode = request.validateOnly ? .none : .invalidConfig }]
                }
            }
        }
        let admin = Admin(one.client)
        try await admin.alterConfigs(
            ofTopic: "orders", setting: ["b": "2", "a": "1"], removing: ["c"], validateOnly: true)
        let error = await #expect(throws: KafkaClientError.self) {
            try await admin.alterConfigs(ofTopic: "orders", setting: ["a": "1"])
        }
        #expect(error?.brokerError == .invalidConfig)
        let resource = asked.withLock { $0[0].resources[0] }
        #expect(resource.resourceType == ConfigResourceType.topic && resource.resourceName == "orders")
        #expect(resource.configs.map(\.name) == ["a", "b", "c"])
        #expect(resource.configs.map(\.value) == ["1", "2", nil])
        #expect(resource.configs.map(\.configOperation) == [0, 0, 1])
        await admin.close()
        try await one.broker.stop()
    }

    @Test("records are deleted at the partition's leader, wherever it has moved")
    func deleteRecords() async throws {
        let one = try await OneBroker(partitions: 2)
        let other = try await ScriptedBroker.start()
        let topic = one.topic
        let brokers: [Int32: BrokerAddress] = [0: one.broker.address, 1: other.address]
        one.broker.update { script in
            script.metadata = { _ in topic.metadata(brokers) }
            script.answer(DeleteRecordsRequest.self) { request in
                topic.update(1) { $0.leader = 1 }
                return Self.deleted(request, .notLeaderOrFollower)
            }
        }
        other.update { script in
            script.metadata = { _ in topic.metadata(brokers) }
            script.answer(DeleteRecordsRequest.self) { Self.deleted($0, .none) }
        }
        let admin = Admin(one.client)
        #expect(try await admin.deleteRecords(of: TopicPartition("orders", 1), before: 7) == 7)
        #expect(other.versions(of: .deleteRecords).count == 1)
        await #expect(throws: KafkaClientError.self) {
            try await admin.deleteRecords(of: TopicPartition("orders", 2), before: nil)
        }
        await admin.close()
        try await one.broker.stop()
        try await other.stop()
    }

    private static func deleted(_ request: DeleteRecordsRequest, _ code: ErrorCode) -> DeleteRecordsResponse {
        DeleteRecordsResponse {
            $0.topics = request.topics.map { topic in
                .init {
                    $0.name = topic.name
                    $0.partitions = topic.partitions.map { partition in
                        .init {
                            $0.partitionIndex = partition.partitionIndex
                            $0.lowWatermark = partition.offset
                            $0.errorCode = code
                        }
                    }
                }
            }
        }
    }

    @Test("a broker that is not there is an error after the operation timeout")
    func unreachable() async throws {
        let broker = try await ScriptedBroker.start()
        try await broker.stop()
        var client = KafkaClientConfiguration(bootstrapServers: [broker.address])
        client.operationTimeout = .milliseconds(50)
        let admin = Admin(client)
        let error = await #expect(throws: KafkaClientError.self) { try await admin.listTopics() }
        #expect(error?.code == .connectionFailed)
        await admin.close()
    }

    @Test("a port that does not exist is an error", arguments: [0, -1, 65_536, .max])
    func ports(port: Int) async throws {
        var client = KafkaClientConfiguration(bootstrapServers: [BrokerAddress(host: "127.0.0.1", port: port)])
        client.operationTimeout = .zero
        let admin = Admin(client)
        let error = await #expect(throws: KafkaClientError.self) { try await admin.listTopics() }
        #expect(error?.code == .connectionFailed)
        await admin.close()
    }

    @Test("of two answers about a leader the newer epoch counts")
    func epochs() {
        let topic = FakeTopic("orders", partitions: 1)
        let brokers: [Int32: BrokerAddress] = [
            0: BrokerAddress(host: "a", port: 1), 1: BrokerAddress(host: "b", port: 2),
        ]
        var metadata = ClusterMetadata()
        topic.update(0) {
            $0.leader = 1
            $0.leaderEpoch = 5
        }
        metadata.update(topic.metadata(brokers))
        topic.update(0) {
            $0.leader = 0
            $0.leaderEpoch = 4
        }
        metadata.update(topic.metadata(brokers))
        #expect(metadata.leader(of: TopicPartition("orders", 0)) == .init(node: 1, epoch: 5))
    }
}
