import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

/// Clusters with several Raft groups.
@Suite struct ShardTests {
    private func world(brokers: Int = 3, shards: Int = 3, seed: UInt64 = 1) throws -> World {
        try World.ready(brokers: brokers, seed: seed) { $0.shardCount = shards }
    }

    /// A client of the broker that leads a partition.
    private func client(_ world: World, _ topic: String, _ partition: Int32) throws -> SimulatedClient {
        let any = try #require(world.leader()).broker
        let number = try #require(any.metadata.topic(named: topic)).number
        let shard = PartitionKey(number, partition).shard(of: any.shards.count)
        return world.client(of: try #require(world.leader(ofShard: Int(shard.rawValue))))
    }

    @Test func `the leaders of the shards spread over the brokers`() throws {
        let world = try world()
        let leaders = try (0..<3).map { try #require(world.leader(ofShard: $0)).id }
        #expect(Set(leaders).count == 3)
    }

    @Test func `consecutive partitions live in consecutive shards, each with its leader and epoch`() throws {
        let world = try world()
        try world.client(of: try #require(world.leader())).createTopic("t", partitions: 6)
        world.run(for: .seconds(1))
        let response = try world.client(of: world.brokers[0]).call(MetadataRequest { $0.topics = nil })
        let partitions = response.topics[0].partitions
        #expect(Set(partitions.prefix(3).map(\.leaderID)).count == 3)
        #expect(partitions.prefix(3).map(\.leaderID) == partitions.suffix(3).map(\.leaderID))
        for partition in partitions {
            let shard = PartitionKey(TopicNumber(1), partition.partitionIndex).shard(of: 3)
            #expect(partition.leaderID == world.leader(ofShard: Int(shard.rawValue))?.id.rawValue)
        }
    }

    @Test func `each partition is written and read through its own shard`() throws {
        let world = try world()
        try world.client(of: try #require(world.leader())).createTopic("t", partitions: 6)
        world.run(for: .seconds(1))
        for partition: Int32 in 0..<6 {
            let client = try client(world, "t", partition)
            #expect(try client.produce(.batch("p\(partition)"), to: "t", partition: partition).baseOffset == 0)
            #expect(try client.consume("t", partition: partition) == ["p\(partition)"])
        }
        for shard in 0..<3 {
            let broker = try #require(world.leader(ofShard: shard)).broker
            #expect(broker.shards[shard].machine.topicNumbers == [TopicNumber(1)])
        }
    }

    @Test func `one request to partitions of different shards gets each one's own answer`() throws {
        let world = try world()
        try world.client(of: try #require(world.leader())).createTopic("t", partitions: 3)
        world.run(for: .seconds(1))
        let broker = try #require(world.leader(ofShard: 1))
        var request = SimulatedClient.produceRequest(try .batch("x"), to: "t")
        request.topics[0].partitions = SmallArray(
            try (0..<3).map { partition in
                try ProduceRequest.Partition {
                    $0.index = Int32(partition)
                    $0.records = nil
                }.with(records: .batch("x"))
            })
        let answers = try world.client(of: broker).call(request, version: SimulatedClient.produceVersion).topics[0]
            .partitions
        // Partition 0 of topic 1 is in shard 1.
        #expect(answers.map(\.errorCode) == [.none, .notLeaderOrFollower, .notLeaderOrFollower])
        #expect(answers[1].currentLeader.leaderID == world.leader(ofShard: 2)?.id.rawValue)
        #expect(answers[2].currentLeader.leaderID == world.leader(ofShard: 0)?.id.rawValue)
    }

    @Test func `when a broker dies only its shards get new leaders`() throws {
        let world = try world()
        try world.client(of: try #require(world.leader())).createTopic("t", partitions: 3)
        world.run(for: .seconds(1))
        let victim = try #require(world.leader(ofShard: 2))
        let epochs = try (0..<2).map { try #require(world.leader(ofShard: $0)).broker.shards[$0].leaderEpoch }
        world.kill(victim)
        _ = try world.runUntilNewLeader(ofShard: 2, after: victim)
        let after = try (0..<2).map { try #require(world.leader(ofShard: $0)).broker.shards[$0].leaderEpoch }
        #expect(epochs == after)
        let partition: Int32 = 1
        #expect(
            try client(world, "t", partition).produce(.batch("x"), to: "t", partition: partition).errorCode == .none)
    }

    @Test func `a deleted topic leaves every shard, on every broker`() throws {
        let world = try world()
        let leader = try #require(world.leader())
        try world.client(of: leader).createTopic("gone", partitions: 3)
        try world.client(of: leader).createTopic("stays", partitions: 3)
        world.run(for: .seconds(1))
        for topic in ["gone", "stays"] {
            for partition: Int32 in 0..<3 {
                try client(world, topic, partition).produce(.batch("x"), to: topic, partition: partition)
            }
        }
        let delete = DeleteTopicsRequest { $0.topics = [.init { $0.name = "gone" }] }
        #expect(try world.client(of: leader).call(delete).topics.map(\.errorCode) == [.none])
        world.run(for: .seconds(1))
        for broker in world.brokers {
            for shard in broker.broker.shards { #expect(shard.machine.topicNumbers == [TopicNumber(2)]) }
        }
        #expect(try client(world, "stays", 1).consume("stays", partition: 1) == ["x"])
    }

    @Test func `a batch proposed before its topic was deleted, and committed after, stays unseen`() throws {
        let machine = TopicsFSM(shard: ShardID(1))
        var log = CommandLog()
        let key = PartitionKey(TopicNumber(1), 0)
        #expect(log.apply(.produce(.sample(key)), to: machine) == .appended(baseOffset: .zero, logStart: .zero))
        #expect(log.apply(.forgetTopic(TopicNumber(1)), to: machine) == CommandResult.none)
        #expect(log.apply(.produce(.sample(key)), to: machine) == .refused(.unknownTopicOrPartition))
        #expect(machine.state(of: key) == nil)
        let other = PartitionKey(TopicNumber(2), 0)
        #expect(log.apply(.produce(.sample(other)), to: machine) == .appended(baseOffset: .zero, logStart: .zero))
    }

    @Test func `all shards of a broker come back after a restart`() throws {
        let world = try world(brokers: 1)
        let broker = world.brokers[0]
        try world.client(of: broker).createTopic("t", partitions: 6)
        for partition: Int32 in 0..<6 {
            try world.client(of: broker).produce(.batch("p\(partition)"), to: "t", partition: partition)
        }
        world.kill(broker)
        try world.start(broker)
        try world.runUntilReady()
        for partition: Int32 in 0..<6 {
            #expect(try world.client(of: broker).consume("t", partition: partition) == ["p\(partition)"])
        }
    }
}

extension ProduceRequest.Partition {
    fileprivate func with(records: ByteBuffer) -> Self {
        var copy = self
        copy.records = records
        return copy
    }
}
