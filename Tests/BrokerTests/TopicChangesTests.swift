import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

/// DeleteTopics and CreatePartitions.
@Suite struct TopicChangesTests {
    private static func delete(ids: [TopicID]) -> DeleteTopicsRequest {
        DeleteTopicsRequest { request in
            request.topics = ids.map { id in
                DeleteTopicsRequest.Topic {
                    $0.name = nil
                    $0.topicID = id
                }
            }
        }
    }

    private static func delete(names: [String]) -> DeleteTopicsRequest {
        DeleteTopicsRequest { request in
            request.topicNames = names
            request.topics = names.map { name in DeleteTopicsRequest.Topic { $0.name = name } }
        }
    }

    private static func grow(
        _ name: String, to count: Int32, assignments: Int? = nil, validateOnly: Bool = false
    ) -> CreatePartitionsRequest {
        CreatePartitionsRequest { request in
            request.validateOnly = validateOnly
            request.topics = [
                CreatePartitionsRequest.Topic { topic in
                    topic.name = name
                    topic.count = count
                    topic.assignments = assignments.map { count in
                        (0..<count).map { _ in CreatePartitionsRequest.Assignment { $0.brokerIDs = [1] } }
                    }
                }
            ]
        }
    }

    @Test(arguments: [5, 6] as [Int16])
    func `a topic is deleted by name, and its data is gone`(version: Int16) throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        let id = try client.createTopic("t").topicID
        try client.produce(.batch("a"), to: "t")
        let deleted = try client.call(Self.delete(names: ["t"]), version: version).topics
        #expect(deleted.map(\.errorCode) == [.none])
        #expect(deleted.map(\.name) == ["t"])
        if version >= 6 { #expect(deleted.map(\.topicID) == [id]) }
        #expect(try client.fetch("t", from: 0).errorCode == .unknownTopicOrPartition)
        #expect(try client.produce(.batch("b"), to: "t").errorCode == .unknownTopicOrPartition)
    }

    @Test func `a topic is deleted by id`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        let id = try client.createTopic("t").topicID
        let deleted = try client.call(Self.delete(ids: [id])).topics
        #expect(deleted.map(\.name) == ["t"])
        #expect(deleted.map(\.errorCode) == [.none])
    }

    @Test func `topics that are not there are unknown by name and by id`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        let byName = try client.call(Self.delete(names: ["t"])).topics
        #expect(byName.map(\.errorCode) == [.unknownTopicOrPartition])
        let byID = try client.call(Self.delete(ids: [TopicID(high: 1, low: 1)])).topics
        #expect(byID.map(\.errorCode) == [.unknownTopicID])
        #expect(byID.map(\.name) == [nil])
    }

    @Test func `name and id together are refused`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        let id = try client.createTopic("t").topicID
        var request = Self.delete(names: ["t"])
        request.topics[0].topicID = id
        #expect(try client.call(request).topics.map(\.errorCode) == [.invalidRequest])
        #expect(try client.call(MetadataRequest { $0.topics = nil }).topics.map(\.name) == ["t"])
    }

    @Test func `a topic created again under its old name is another topic and begins empty`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        let first = try client.createTopic("t").topicID
        try client.produce(.batch("old"), to: "t")
        _ = try client.call(Self.delete(names: ["t"]))
        let second = try client.createTopic("t").topicID
        #expect(first != second)
        #expect(try client.consume("t").isEmpty)
        #expect(try client.produce(.batch("new"), to: "t").baseOffset == 0)
        #expect(try client.consume("t") == ["new"])
    }

    @Test func `deleting a topic wakes the fetches that wait for it`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t")
        let waiting = try client.send(
            SimulatedClient.fetchRequest("t", from: 0, maxWait: 60_000), version: SimulatedClient.fetchVersion)
        _ = try world.client(of: world.brokers[0]).call(Self.delete(names: ["t"]))
        world.run(for: .seconds(1))
        #expect(waiting.response?.topics[0].partitions[0].errorCode == .unknownTopicOrPartition)
    }

    @Test func `a topic grows, and its new partitions take records`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t")
        #expect(try client.produce(.batch("a"), to: "t", partition: 2).errorCode == .unknownTopicOrPartition)
        #expect(try client.call(Self.grow("t", to: 3)).topics.map(\.errorCode) == [.none])
        #expect(try client.produce(.batch("a"), to: "t", partition: 2).errorCode == .none)
        #expect(try client.call(MetadataRequest { $0.topics = nil }).topics[0].partitions.count == 3)
    }

    @Test(arguments: [2, 1, 0, -1, 100_001])
    func `a topic neither shrinks nor stays nor grows beyond the bound`(count: Int32) throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t", partitions: 2)
        #expect(try client.call(Self.grow("t", to: count)).topics.map(\.errorCode) == [.invalidPartitions])
    }

    @Test func `growing needs one assignment for each new partition, if any`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t")
        let codes = try [1, 2].map { count in
            try client.call(Self.grow("t", to: 3, assignments: count)).topics.map(\.errorCode)
        }
        #expect(codes == [[.invalidReplicaAssignment], [.none]])
    }

    @Test func `growing onto brokers that are not there, or one topic twice, is refused`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t")
        var strange = Self.grow("t", to: 2, assignments: 1)
        for brokers in [[], [7]] as [[Int32]] {
            strange.topics[0].assignments = [.init { $0.brokerIDs = brokers }]
            #expect(try client.call(strange).topics.map(\.errorCode) == [.invalidReplicaAssignment])
        }
        var twice = Self.grow("t", to: 2)
        twice.topics += Self.grow("t", to: 3).topics
        #expect(try client.call(twice).topics.map(\.errorCode) == [.invalidRequest, .invalidRequest])
    }

    @Test func `growing a missing topic is refused`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        #expect(try client.call(Self.grow("t", to: 3)).topics.map(\.errorCode) == [.unknownTopicOrPartition])
    }

    @Test func `growing with validate only changes nothing`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t")
        #expect(try client.call(Self.grow("t", to: 3, validateOnly: true)).topics.map(\.errorCode) == [.none])
        #expect(try client.call(MetadataRequest { $0.topics = nil }).topics[0].partitions.count == 1)
    }
}
