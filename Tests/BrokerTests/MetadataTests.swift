import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

@Suite struct MetadataTests {
    private static func request(_ names: [String]?, autoCreate: Bool = true) -> MetadataRequest {
        MetadataRequest { request in
            request.topics = names.map { names in names.map { name in MetadataRequest.Topic { $0.name = name } } }
            request.allowAutoTopicCreation = autoCreate
        }
    }

    @Test func `null topics ask for all of them, by name`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        for name in ["c", "a", "b"] { try client.createTopic(name) }
        let response = try client.call(Self.request(nil))
        #expect(response.topics.map(\.name) == ["a", "b", "c"])
        #expect(response.topics.allSatisfy { $0.errorCode == .none && !$0.isInternal })
    }

    @Test func `an empty list asks for no topic, and in version 0 for all`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t")
        #expect(try client.call(Self.request([])).topics.isEmpty)
        #expect(try client.call(Self.request([]), version: 0).topics.map(\.name) == ["t"])
    }

    @Test func `brokers, cluster id and controller are told`() throws {
        let world = try World.ready(brokers: 3) { $0.rack = "r\($0.nodeID)" }
        let leader = try #require(world.leader())
        for broker in world.brokers {
            let response = try world.client(of: broker).call(Self.request([]))
            #expect(response.brokers.map(\.nodeID) == [1, 2, 3])
            #expect(response.brokers.map(\.host) == ["broker-1", "broker-2", "broker-3"])
            #expect(response.brokers.map(\.port) == [9_001, 9_002, 9_003])
            #expect(response.brokers.map(\.rack) == ["r1", "r2", "r3"])
            #expect(response.controllerID == leader.id.rawValue)
            #expect(response.clusterID.flatMap { TopicID($0) } != nil)
        }
    }

    @Test func `every broker names the leader, the epoch and the replicas of each partition`() throws {
        let world = try World.ready(brokers: 3)
        let leader = try #require(world.leader())
        try world.client(of: leader).createTopic("t", partitions: 3)
        world.run(for: .seconds(1))
        let epoch = leader.broker.shards[0].leaderEpoch
        for broker in world.brokers {
            let topic = try #require(try world.client(of: broker).call(Self.request(["t"])).topics.first)
            #expect(topic.partitions.map(\.partitionIndex) == [0, 1, 2])
            for partition in topic.partitions {
                #expect(partition.errorCode == .none)
                #expect(partition.leaderID == leader.id.rawValue)
                #expect(partition.leaderEpoch == epoch)
                #expect(partition.replicaNodes == [1, 2, 3])
                #expect(partition.isrNodes == [1, 2, 3])
            }
        }
    }

    @Test func `a client that only hears that nobody leads is sent elsewhere after a second`() throws {
        let world = try World.ready(brokers: 3)
        let leader = try #require(world.leader())
        let client = world.client(of: leader)
        try client.createTopic("t")
        world.setConnected(leader, false)
        try world.run(until: "the leader notices") { !leader.broker.shards[0].isServing }
        world.run(for: .seconds(5))
        // The second begins when this client is told, not when the broker was cut off.
        let first = try #require(try client.call(Self.request(["t"])).topics.first)
        #expect(first.partitions.map(\.leaderID) == [-1])
        world.run(for: .milliseconds(500))
        #expect(try client.call(Self.request(["t"])).topics.count == 1)
        world.run(for: .milliseconds(600))
        _ = try client.send(Self.request(["t"]))
        world.run(for: .milliseconds(10))
        #expect(client.isClosed && client.refusal == nil)

        let patient = world.client(of: leader)
        _ = try patient.call(Self.request(["t"]))
        world.setConnected(leader, true)
        try world.runUntilReady()
        world.run(for: .seconds(2))
        let healed = try #require(try patient.call(Self.request(["t"])).topics.first)
        #expect(healed.partitions.allSatisfy { $0.leaderID != -1 } && !patient.isClosed)
    }

    @Test func `a missing topic is created when the client and the broker allow it`() throws {
        let world = try World.ready { $0.defaultPartitionCount = 4 }
        let client = world.client(of: world.brokers[0])
        let topic = try #require(try client.call(Self.request(["new"])).topics.first)
        #expect(topic.errorCode == .none)
        #expect(topic.partitions.count == 4)
    }

    @Test func `a missing topic that the request names twice is created all the same`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        let topics = try client.call(Self.request(["new", "new"])).topics
        #expect(topics.map(\.errorCode) == [.none, .none])
    }

    @Test func `a missing topic is unknown when the client does not want it created`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        let topic = try #require(try client.call(Self.request(["new"], autoCreate: false)).topics.first)
        #expect(topic.errorCode == .unknownTopicOrPartition)
        #expect(topic.partitions.isEmpty)
        #expect(try client.call(Self.request(nil)).topics.isEmpty)
    }

    @Test func `a missing topic is unknown when the broker does not create topics by itself`() throws {
        let world = try World.ready { $0.autoCreateTopics = false }
        let client = world.client(of: world.brokers[0])
        let topic = try #require(try client.call(Self.request(["new"])).topics.first)
        #expect(topic.errorCode == .unknownTopicOrPartition)
    }

    @Test func `versions without the flag create missing topics`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        let topic = try #require(try client.call(Self.request(["new"]), version: 3).topics.first)
        #expect(topic.errorCode == .none)
    }

    @Test(arguments: ["", ".", "..", "a b", "ü", String(repeating: "x", count: 250)])
    func `an invalid name is told so and not created`(name: String) throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        let topic = try #require(try client.call(Self.request([name])).topics.first)
        #expect(topic.errorCode == .invalidTopicException)
        #expect(topic.name == name)
        #expect(try client.call(Self.request(nil)).topics.isEmpty)
    }

    @Test func `a topic is found by its id, and an id that no topic has is unknown`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        let created = try client.createTopic("t")
        let unknown = TopicID(high: 1, low: 2)
        let request = MetadataRequest { request in
            request.topics = [created.topicID, unknown].map { id in
                MetadataRequest.Topic {
                    $0.name = nil
                    $0.topicID = id
                }
            }
        }
        let topics = try client.call(request, version: 12).topics
        #expect(topics.map(\.name) == ["t", nil])
        #expect(topics.map(\.errorCode) == [.none, .unknownTopicID])
        #expect(topics.map(\.topicID) == [created.topicID, unknown])
    }

    @Test func `a follower has missing topics created by the leader, and answers with them`() throws {
        let world = try World.ready(brokers: 3)
        let leader = try #require(world.leader())
        for (number, follower) in world.brokers.filter({ $0 !== leader }).enumerated() {
            let topic = try #require(
                try world.client(of: follower).call(Self.request(["new-\(number)"])).topics.first)
            #expect(topic.errorCode == .none)
            #expect(topic.partitions.map(\.leaderID) == [leader.id.rawValue])
        }
    }

    @Test(arguments: [MetadataRequest.versions.lowerBound, 3, 4, 9, 12, MetadataRequest.versions.upperBound])
    func `a topic that was just made is found at every broker, however far that one is behind`(version: Int16) throws {
        let world = try World.ready(brokers: 3)
        let leader = try #require(world.leader())
        for number in 0..<20 {
            let name = "t\(number)"
            try world.client(of: leader).createTopic(name, partitions: 3)
            for broker in world.brokers {
                let request = Self.request([name], autoCreate: version < 4)
                let topic = try #require(try world.client(of: broker).call(request, version: version).topics.first)
                #expect(topic.errorCode == .none && topic.partitions.count == 3)
            }
        }
    }

    @Test func `what the metadata leader does not know either is unknown at every broker`() throws {
        let world = try World.ready(brokers: 3)
        for broker in world.brokers {
            let client = world.client(of: broker)
            let byName = try client.call(Self.request(["none"], autoCreate: false)).topics
            #expect(byName.map(\.errorCode) == [.unknownTopicOrPartition])
            let byID = MetadataRequest { request in
                request.topics = [
                    MetadataRequest.Topic {
                        $0.name = nil
                        $0.topicID = TopicID(high: 1, low: 2)
                    }
                ]
            }
            #expect(try client.call(byID, version: 12).topics.map(\.errorCode) == [.unknownTopicID])
        }
    }

    @Test func `a follower that cannot ask the leader says of no topic that there is none`() throws {
        let world = try World.ready(brokers: 3)
        let leader = try #require(world.leader())
        let follower = try #require(world.brokers.first { $0 !== leader })
        let client = world.client(of: follower)
        let call = try client.send(Self.request(["t"], autoCreate: false))
        world.setConnected(leader, false)
        #expect(try client.wait(for: call).topics.map(\.errorCode) == [.leaderNotAvailable])
    }

    @Test func `followers learn at once of what changes the cluster, and not of records`() throws {
        let world = try World.ready(brokers: 3)
        let leader = try #require(world.leader())
        let client = world.client(of: leader)
        world.run(for: .seconds(1))
        for number in 0..<20 {
            try client.createTopic("t\(number)")
            // Less than the time between two heartbeats, so that by chance no more than a few would be in time.
            world.run(for: .milliseconds(10))
            for broker in world.brokers { #expect(broker.broker.metadata.topic(named: "t\(number)") != nil) }
        }
    }

    @Test func `without a leader nothing is created and partitions have no leader`() throws {
        let world = try World.ready(brokers: 3)
        let leader = try #require(world.leader())
        try world.client(of: leader).createTopic("t")
        world.run(for: .seconds(1))
        for broker in world.brokers { world.setConnected(broker, false) }
        world.run(for: .seconds(5))
        let response = try world.client(of: leader).call(Self.request(["t", "new"]))
        #expect(response.controllerID == -1)
        #expect(response.topics[0].partitions.map(\.errorCode) == [.leaderNotAvailable])
        #expect(response.topics[0].partitions.map(\.leaderID) == [-1])
        #expect(response.topics[1].errorCode == .leaderNotAvailable)
    }
}
