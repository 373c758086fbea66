import Basics
import KafkaWire
import NIOCore
import Raft
import SegmentLog
import Testing

@testable import Broker

/// Whole clusters through crashes, and the same run twice.
@Suite struct RestartTests {
    /// A producer that retries until it is told that its batch is stored, wherever the leader is: what a Kafka client
    /// does with idempotence.
    private final class RetryingProducer {
        let world: World
        let id: Int64
        let partition: Int32
        private(set) var acknowledged: [String] = []
        private var sequence: Int32 = 0
        private var clients: [NodeID: SimulatedClient] = [:]

        init(_ world: World, id: Int64, partition: Int32) {
            self.world = world
            self.id = id
            self.partition = partition
        }

        /// Sends one record until it is acknowledged.
        func send(_ value: String, betweenTries: () throws -> Void) throws {
            let batch = try ByteBuffer.batch(value, producer: .init(id: id, sequence: sequence))
            for _ in 0..<100 {
                try betweenTries()
                if let client = client(), try attempt(batch, client) {
                    acknowledged.append(value)
                    sequence += 1
                    return
                }
                world.run(for: .milliseconds(50))
            }
            throw World.Timeout(description: "'\(value)' was never acknowledged")
        }

        private func attempt(_ batch: ByteBuffer, _ client: SimulatedClient) throws -> Bool {
            let call = try client.send(
                SimulatedClient.produceRequest(batch, to: "t", partition: partition, timeout: 1_000),
                version: SimulatedClient.produceVersion)
            world.run(for: .milliseconds(20))
            guard let answer = call.response?.topics[0].partitions[0] else { return false }
            guard answer.errorCode != .outOfOrderSequenceNumber else {
                throw UnexpectedAnswer("a batch in order was called out of order")
            }
            return answer.errorCode == .none
        }

        private func client() -> SimulatedClient? {
            guard let leader = world.leader() else { return nil }
            if let known = clients[leader.id], known.connection.isOpen, !known.isStale { return known }
            clients[leader.id] = world.client(of: leader)
            return clients[leader.id]
        }
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `whatever crashes, each acknowledged record is there once and in order`(seed: UInt64) throws {
        let world = try World.ready(brokers: 3, seed: seed)
        let client = world.client(of: try #require(world.leader()))
        try client.createTopic("t", partitions: 2)
        let ids = try (0..<2).map { _ in try client.call(InitProducerIDRequest()).producerID }
        let producers = (0..<2).map { RetryingProducer(world, id: ids[$0], partition: Int32($0)) }
        var random = RandomSource(seed: seed)
        for number in 0..<40 {
            let producer = producers[number % 2]
            try producer.send("\(number)") { try Self.disturb(world, using: &random) }
        }
        for broker in world.brokers {
            if !broker.isUp { try world.start(broker) }
            world.setConnected(broker, true)
        }
        try world.runUntilReady()
        let reader = world.client(of: try #require(world.leader()))
        for producer in producers {
            #expect(try reader.consume("t", partition: producer.partition) == producer.acknowledged)
        }
    }

    /// Now and then kills, starts, cuts off or joins a broker; two of three stay up and joined.
    private static func disturb(_ world: World, using random: inout RandomSource) throws {
        guard Int.random(in: 0..<6, using: &random) == 0 else { return }
        let victim = world.brokers[Int.random(in: 0..<3, using: &random)]
        let impaired = world.brokers.first { !$0.isUp || $0.isCutOff }
        if let impaired {
            if impaired.isUp { world.setConnected(impaired, true) } else { try world.start(impaired) }
        } else if Bool.random(using: &random) {
            world.kill(victim, losing: Bool.random(using: &random) ? .random : .everythingUnflushed)
        } else {
            world.setConnected(victim, false)
        }
        world.run(for: .milliseconds(Int64.random(in: 0...300, using: &random)))
    }

    @Test func `topics, records, producers and offsets are there again after a restart`() throws {
        let world = try World.ready { $0.defaultPartitionCount = 3 }
        let broker = world.brokers[0]
        let before = world.client(of: broker)
        let created = try before.createTopic("t", partitions: 2, configs: ["retention.ms": "77"])
        for number in 0..<30 {
            try before.produce(.batch("\(number)", timestamps: [Int64(number)]), to: "t", partition: Int32(number % 2))
        }
        let clusterID = broker.broker.metadata.clusterID
        world.kill(broker)
        try world.start(broker)
        try world.runUntilReady()
        let after = world.client(of: broker)
        let topic = try #require(broker.broker.metadata.topic(named: "t"))
        #expect(topic.id == created.topicID)
        #expect(topic.config.overrides == ["retention.ms": "77"])
        #expect(broker.broker.metadata.clusterID == clusterID)
        #expect(try after.consume("t", partition: 1) == stride(from: 1, to: 30, by: 2).map { "\($0)" })
        #expect(try after.listOffset("t", timestamp: 20).offset == 10)
        #expect(try after.produce(.batch("more"), to: "t").baseOffset == 15)
    }

    @Test func `replicas hold the same bytes and the same state`() throws {
        let world = try World.ready(brokers: 3)
        let client = world.client(of: try #require(world.leader()))
        try client.createTopic("t")
        for number in 0..<50 { try client.produce(.batch("\(number)"), to: "t") }
        let last = try #require(world.leader()).broker.shards[0].node.lastIndex
        try world.run(until: "all have applied everything") {
            world.brokers.allSatisfy { $0.broker.shards[0].node.appliedIndex == last }
        }
        let segments = world.brokers.map { $0.segment(LogIndex(1)) }
        #expect(segments[0] != nil)
        #expect(segments[0] == segments[1] && segments[1] == segments[2])
        let key = PartitionKey(TopicNumber(1), 0)
        let states = world.brokers.map { $0.broker.shards[0].machine.state(of: key) }
        #expect(states.allSatisfy { $0?.nextOffset == Offset(50) })
        #expect(Set(states.map { $0?.index.runs ?? [] }).count == 1)
    }

    /// Everything that a run of some seconds with a crash in it made visible.
    private func trace(seed: UInt64) throws -> [String] {
        let world = try World.ready(brokers: 3, seed: seed)
        let leader = try #require(world.leader())
        let client = world.client(of: leader)
        try client.createTopic("t", partitions: 4)
        for number in 0..<20 { try client.produce(.batch("\(number)"), to: "t", partition: Int32(number % 4)) }
        world.kill(leader, losing: .random)
        let successor = try world.runUntilNewLeader(after: leader)
        let broker = successor.broker
        return [
            "\(successor.id)", "\(world.scheduler.now)", "\(broker.shards[0].leaderEpoch)",
            "\(broker.shards[0].node.lastIndex)", "\(broker.metadata.topic(named: "t")?.id ?? .zero)",
            "\(broker.metadata.clusterID ?? "")",
        ]
    }

    @Test func `the same seed gives the same run, another seed another one`() throws {
        let first = try trace(seed: 11)
        #expect(try trace(seed: 11) == first)
        #expect(try trace(seed: 12) != first)
    }
}
