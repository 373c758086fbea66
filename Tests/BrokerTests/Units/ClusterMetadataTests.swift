import Basics
import KafkaWire
import Testing

@testable import Broker

@Suite struct ClusterMetadataTests {
    private static func topic(_ name: String, id: UInt64, partitions: Int32 = 1) -> CreateTopicCommand {
        CreateTopicCommand(
            name: name, id: TopicID(high: 0, low: id), partitionCount: partitions, replicationFactor: 1, configs: [])
    }

    @Test func `topics get numbers in order, and a number is never given again`() {
        let metadata = ClusterMetadata()
        #expect(metadata.create(Self.topic("a", id: 10)) == .topic(TopicNumber(1)))
        #expect(metadata.create(Self.topic("b", id: 11)) == .topic(TopicNumber(2)))
        #expect(metadata.delete(TopicID(high: 0, low: 11)) == .topic(TopicNumber(2)))
        #expect(metadata.create(Self.topic("b", id: 12)) == .topic(TopicNumber(3)))
        #expect(metadata.topic(TopicNumber(2)) == nil)
        #expect(metadata.wasCreated(TopicNumber(2)))
        #expect(!metadata.wasCreated(TopicNumber(4)))
    }

    @Test func `a topic is found by name, id and number until it is deleted`() {
        let metadata = ClusterMetadata()
        _ = metadata.create(Self.topic("a", id: 10))
        let topic = metadata.topic(named: "a")
        #expect(topic?.id == TopicID(high: 0, low: 10))
        #expect(metadata.topic(TopicID(high: 0, low: 10)) == topic)
        #expect(metadata.topic(TopicNumber(1)) == topic)
        _ = metadata.delete(TopicID(high: 0, low: 10))
        #expect(metadata.topic(named: "a") == nil)
        #expect(metadata.topic(TopicID(high: 0, low: 10)) == nil)
        #expect(metadata.topic(TopicNumber(1)) == nil)
        #expect(metadata.delete(TopicID(high: 0, low: 10)) == .refused(.unknownTopicID))
    }

    @Test func `names are taken once, and may not differ in dots and underscores alone`() {
        let metadata = ClusterMetadata()
        _ = metadata.create(Self.topic("a.b_c", id: 10))
        #expect(metadata.create(Self.topic("a.b_c", id: 11)) == .refused(.topicAlreadyExists))
        #expect(metadata.create(Self.topic("a_b.c", id: 11)) == .refused(.invalidTopicException))
        #expect(metadata.create(Self.topic("a.bc", id: 11)) == .topic(TopicNumber(2)))
        #expect(metadata.collides("a.b.c"))
        #expect(!metadata.collides("a.b_c"))
        #expect(!metadata.collides("abc"))
    }

    @Test func `topics grow and never shrink`() {
        let metadata = ClusterMetadata()
        _ = metadata.create(Self.topic("a", id: 10, partitions: 3))
        let id = TopicID(high: 0, low: 10)
        #expect(metadata.createPartitions(id, count: 3) == .refused(.invalidPartitions))
        #expect(metadata.createPartitions(id, count: 5) == .topic(TopicNumber(1)))
        #expect(metadata.topic(named: "a")?.partitionCount == 5)
        #expect(metadata.createPartitions(.zero, count: 5) == .refused(.unknownTopicOrPartition))
    }

    @Test func `producer ids are counted, the cluster is named once, brokers may move`() {
        let metadata = ClusterMetadata()
        #expect(metadata.allocateProducerID() == .producerID(1))
        #expect(metadata.allocateProducerID() == .producerID(2))
        _ = metadata.initialize(id: "first")
        _ = metadata.initialize(id: "second")
        #expect(metadata.clusterID == "first")
        _ = metadata.register(BrokerRegistration(id: NodeID(2), host: "old", port: 1))
        _ = metadata.register(BrokerRegistration(id: NodeID(1), host: "x", port: 1))
        _ = metadata.register(BrokerRegistration(id: NodeID(2), host: "new", port: 2))
        #expect(metadata.sortedBrokers.map(\.host) == ["x", "new"])
    }

    @Test func `topics are listed by name`() {
        let metadata = ClusterMetadata()
        for (number, name) in ["c", "a", "b"].enumerated() {
            _ = metadata.create(Self.topic(name, id: UInt64(number + 1)))
        }
        #expect(metadata.sortedTopics.map(\.name) == ["a", "b", "c"])
    }

    @Test(arguments: ["a", "A-z_0.9", "...", "_", String(repeating: "x", count: 249)])
    func `Kafka's topic names are valid`(name: String) { #expect(TopicName.isValid(name)) }

    @Test(arguments: ["", ".", "..", "a b", "a/b", "ä", "a\u{0}", String(repeating: "x", count: 250)])
    func `other topic names are not`(name: String) { #expect(!TopicName.isValid(name)) }
}
