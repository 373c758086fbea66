import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

@Suite struct CreateTopicsTests {
    private typealias Wanted = CreateTopicsRequest.Topic

    private static func topic(_ name: String, _ set: (inout Wanted) -> Void = { _ in }) -> Wanted {
        Wanted {
            $0.name = name
            $0.numPartitions = 1
            $0.replicationFactor = -1
            set(&$0)
        }
    }

    private static func config(_ name: String, _ value: String?) -> CreateTopicsRequest.Config {
        CreateTopicsRequest.Config {
            $0.name = name
            $0.value = value
        }
    }

    private static func assignment(_ partition: Int32, _ brokers: [Int32]) -> CreateTopicsRequest.Assignment {
        CreateTopicsRequest.Assignment {
            $0.partitionIndex = partition
            $0.brokerIDs = brokers
        }
    }

    /// Asks a world of one broker, which has the topics `existing`, to create one topic.
    private func create(
        _ topic: CreateTopicsRequest.Topic, brokers: Int = 1, existing: [String] = []
    ) throws -> CreateTopicsResponse.Topic {
        let world = try World.ready(brokers: brokers) { $0.defaultPartitionCount = 3 }
        let client = world.client(of: try #require(world.leader()))
        for name in existing { try client.createTopic(name) }
        let response = try client.call(CreateTopicsRequest { $0.topics = [topic] })
        return try #require(response.topics.first)
    }

    @Test func `a created topic tells its id, its counts and every config`() throws {
        let created = try create(
            Self.topic("t") { topic in
                topic.numPartitions = 2
                topic.configs = [Self.config("retention.ms", "1000")]
            })
        #expect(created.errorCode == .none && created.errorMessage == nil)
        #expect(created.topicID != .zero)
        #expect(created.numPartitions == 2)
        #expect(created.replicationFactor == 1)
        let configs = try #require(created.configs)
        #expect(configs.map(\.name) == TopicConfig.keys.map(\.name))
        #expect(configs.first { $0.name == "retention.ms" }?.value == "1000")
        #expect(configs.first { $0.name == "retention.ms" }?.configSource == 1)
        #expect(configs.first { $0.name == "segment.bytes" }?.configSource == 5)
    }

    @Test func `counts of -1 mean the broker's defaults`() throws {
        let created = try create(Self.topic("t") { $0.numPartitions = -1 }, brokers: 3)
        #expect(created.numPartitions == 3)
        #expect(created.replicationFactor == 3)
    }

    @Test(arguments: ["", ".", "..", "a/b", String(repeating: "x", count: 250)])
    func `an invalid name is refused`(name: String) throws {
        #expect(try create(Self.topic(name)).errorCode == .invalidTopicException)
    }

    @Test func `a name of 249 characters is taken`() throws {
        #expect(try create(Self.topic(String(repeating: "x", count: 249))).errorCode == .none)
    }

    @Test func `an existing topic is refused`() throws {
        #expect(try create(Self.topic("t"), existing: ["t"]).errorCode == .topicAlreadyExists)
    }

    @Test func `a name that differs from another in dots and underscores only is refused`() throws {
        #expect(try create(Self.topic("a.b"), existing: ["a_b"]).errorCode == .invalidTopicException)
    }

    @Test(arguments: [0, -2, 100_001, Int32.max])
    func `a number of partitions out of range is refused`(count: Int32) throws {
        #expect(try create(Self.topic("t") { $0.numPartitions = count }).errorCode == .invalidPartitions)
    }

    @Test(arguments: [0, -2, 2, Int16.max])
    func `a replication factor that the cluster does not have is refused`(factor: Int16) throws {
        #expect(try create(Self.topic("t") { $0.replicationFactor = factor }).errorCode == .invalidReplicationFactor)
    }

    @Test func `an assignment gives the number of partitions`() throws {
        let created = try create(
            Self.topic("t") { topic in
                topic.numPartitions = -1
                topic.assignments = [Self.assignment(1, [2, 1]), Self.assignment(0, [1, 3])]
            }, brokers: 3)
        #expect(created.errorCode == .none)
        #expect(created.numPartitions == 2)
    }

    @Test func `an assignment together with a count is refused`() throws {
        let created = try create(Self.topic("t") { $0.assignments = [Self.assignment(0, [1])] })
        #expect(created.errorCode == .invalidRequest)
    }

    @Test(arguments: [[(0, [9])], [(1, [1])], [(0, [1]), (0, [1])], [(0, [1]), (2, [1])]] as [[(Int32, [Int32])]])
    func `an assignment with gaps, repetitions or strange brokers is refused`(
        assignments: [(partition: Int32, brokers: [Int32])]
    ) throws {
        let created = try create(
            Self.topic("t") { topic in
                topic.numPartitions = -1
                topic.assignments = assignments.map { Self.assignment($0.partition, $0.brokers) }
            })
        #expect(created.errorCode == .invalidReplicaAssignment)
    }

    @Test(arguments: [
        ("no.such.key", "1"), ("retention.ms", nil), ("retention.ms", "soon"), ("retention.ms", "-2"),
        ("cleanup.policy", "shred"), ("message.timestamp.type", "createtime"), ("preallocate", "yes"),
        ("min.cleanable.dirty.ratio", "1.5"), ("min.cleanable.dirty.ratio", "nan"), ("segment.bytes", "99999999999"),
    ])
    func `a config that cannot be is refused with a reason`(name: String, value: String?) throws {
        let created = try create(Self.topic("t") { $0.configs = [Self.config(name, value)] })
        #expect(created.errorCode == .invalidConfig)
        #expect(created.errorMessage?.contains(name) == true)
    }

    @Test func `a config that is named again and again is refused`() throws {
        let repeated = Array(repeating: Self.config("retention.ms", "1"), count: 70_000)
        #expect(try create(Self.topic("t") { $0.configs = repeated }).errorCode == .invalidConfig)
    }

    @Test(arguments: [
        ("cleanup.policy", Array(repeating: "delete", count: 4_000).joined(separator: ",")),
        ("retention.ms", String(repeating: "0", count: 30_000) + "1"),
        ("min.cleanable.dirty.ratio", "0." + String(repeating: "0", count: 30_000)),
    ])
    func `a value that is valid but endless is refused`(name: String, value: String) throws {
        // A string of a request may have 32 KiB: a few of them are more than an entry's head holds.
        let created = try create(Self.topic("t") { $0.configs = [Self.config(name, value)] })
        #expect(created.errorCode == .invalidConfig)
    }

    @Test func `a topic that the request names twice is refused both times, the others are created`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        let topics = try client.call(
            CreateTopicsRequest { $0.topics = [Self.topic("a"), Self.topic("b"), Self.topic("a")] }
        ).topics
        #expect(topics.map(\.name) == ["a", "b", "a"])
        #expect(topics.map(\.errorCode) == [.invalidRequest, .none, .invalidRequest])
    }

    @Test func `validate only says what would happen and does nothing`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        let request = CreateTopicsRequest {
            $0.topics = [Self.topic("ok"), Self.topic("bad") { $0.numPartitions = 0 }]
            $0.validateOnly = true
        }
        let topics = try client.call(request).topics
        #expect(topics.map(\.errorCode) == [.none, .invalidPartitions])
        #expect(topics[0].topicID == .zero)
        #expect(topics[0].numPartitions == 1)
        #expect(try client.call(MetadataRequest { $0.topics = nil }).topics.isEmpty)
    }

    @Test func `an empty request is answered`() throws {
        let world = try World.ready()
        #expect(try world.client(of: world.brokers[0]).call(CreateTopicsRequest()).topics.isEmpty)
    }

    @Test func `of two clients that create the same topic at once, one is told that it exists`() throws {
        let world = try World.ready()
        let clients = [world.client(of: world.brokers[0]), world.client(of: world.brokers[0])]
        let calls = try clients.map { try $0.send(CreateTopicsRequest { $0.topics = [Self.topic("t")] }) }
        let codes = try zip(clients, calls).map { try $0.wait(for: $1).topics.map(\.errorCode) }
        #expect(codes == [[.none], [.topicAlreadyExists]])
    }
}
