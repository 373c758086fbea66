import Basics
import KafkaWire
import NIOCore
import Raft
import SegmentLog
import Testing

@testable import Broker

/// Fetches of what is no longer in memory.
@Suite struct ColdReadTests {
    private static let batchCount = 60

    /// A world that keeps little in memory, with 60 batches of 10 KiB in each of two partitions.
    private func world(brokers: Int = 1) throws -> (World, SimulatedClient) {
        let world = try World.ready(brokers: brokers) { $0.tailBytesMax = 512.kibibytes }
        let client = world.client(of: try #require(world.leader()))
        try client.createTopic("t", partitions: 2)
        for number in 0..<Self.batchCount {
            for partition: Int32 in 0...1 {
                try client.produce(Self.batch(number, partition), to: "t", partition: partition)
            }
        }
        return (world, client)
    }

    /// Bytes that no codec can shrink.
    private static func batch(_ number: Int, _ partition: Int32) throws -> ByteBuffer {
        var random = RandomSource(seed: UInt64(number) << 8 | UInt64(partition))
        let noise = (0..<1_280).map { _ in String(random.next(), radix: 36) }.joined().prefix(10_000)
        return try .batch("\(partition)/\(number) \(noise)")
    }

    private func numbers(_ values: [String]) -> [String] { values.map { String($0.prefix { $0 != " " }) } }

    private func expected(_ partition: Int32) -> [String] { (0..<Self.batchCount).map { "\(partition)/\($0)" } }

    @Test func `everything is read from the beginning, although only the end is in memory`() throws {
        let (world, client) = try world()
        let node = world.brokers[0].broker.shards[0].node
        #expect(world.brokers[0].read { _ in node.log.block(containing: LogIndex(5)) } == nil)
        for partition: Int32 in 0...1 {
            #expect(numbers(try client.consume("t", partition: partition)) == expected(partition))
        }
    }

    @Test func `small fetches read everything too`() throws {
        let (_, client) = try world()
        #expect(numbers(try client.consume("t", maxBytes: 1)) == expected(0))
    }

    @Test func `a cold read waits for the disk and nobody else does`() throws {
        let (world, client) = try world()
        let broker = world.brokers[0]
        broker.setReaderStalled(true)
        let cold = try client.send(SimulatedClient.fetchRequest("t", from: 0), version: SimulatedClient.fetchVersion)
        world.run(for: .seconds(1))
        #expect(!cold.isAnswered)
        let other = world.client(of: broker)
        #expect(try other.produce(.batch("new"), to: "t").baseOffset == Int64(Self.batchCount))
        #expect(try other.fetch("t", from: Int64(Self.batchCount)).readRecords().count == 1)
        broker.setReaderStalled(false)
        #expect(try client.wait(for: cold).topics[0].partitions[0].readRecords().isEmpty == false)
    }

    @Test func `what one partition waited for is not given out as the next one's`() throws {
        let (world, client) = try world()
        let broker = world.brokers[0]
        let other = world.client(of: broker)
        broker.setReaderStalled(true)
        let request = SimulatedClient.fetchRequest("t", partition: 0, from: 0) { request in
            request.topics[0].partitions.append(
                FetchRequest.Partition {
                    $0.partition = 1
                    $0.partitionMaxBytes = 1 << 20
                })
        }
        let cold = try client.send(request, version: SimulatedClient.fetchVersion)
        world.run(for: .seconds(1))
        #expect(!cold.isAnswered)
        // Now there is nothing to give of the first partition, whose blocks are under way.
        #expect(try other.deleteRecords("t", partition: 0, before: 10).errorCode == .none)
        broker.setReaderStalled(false)
        let answers = try client.wait(for: cold).topics[0].partitions
        #expect(answers.map(\.errorCode) == [.offsetOutOfRange, .none])
        let values = try #require(answers.last).readRecords().map { String(buffer: $0.value ?? ByteBuffer()) }
        #expect(!values.isEmpty && values.allSatisfy { $0.hasPrefix("1/") })
    }

    @Test func `what was read once is read again without the disk`() throws {
        let (world, client) = try world()
        let first = try client.fetch("t", from: 0, maxBytes: 1)
        world.brokers[0].setReaderStalled(true)
        let again = try client.fetch("t", from: 0, maxBytes: 1)
        #expect(first.records == again.records)
    }

    @Test func `consumers that want the same blocks at the same time have them read once`() throws {
        let (world, client) = try world()
        let broker = world.brokers[0]
        let clients = [client, world.client(of: broker)]
        broker.setReaderStalled(true)
        let fetches = try (0...1).map { partition in
            try clients[partition].send(
                SimulatedClient.fetchRequest("t", partition: Int32(partition), from: 0),
                version: SimulatedClient.fetchVersion)
        }
        world.run(for: .seconds(1))
        #expect(broker.waitingReads == 1)
        broker.setReaderStalled(false)
        for (partition, fetch) in fetches.enumerated() {
            let values = try clients[partition].wait(for: fetch).topics[0].partitions[0].readRecords()
            #expect(!values.isEmpty)
        }
        #expect(broker.waitingReads == 0)
    }

    @Test func `who waits for a load that fails reads for itself`() throws {
        let (world, client) = try world()
        let broker = world.brokers[0]
        let other = world.client(of: broker)
        broker.setReaderStalled(true)
        let first = try client.send(SimulatedClient.fetchRequest("t", from: 0), version: SimulatedClient.fetchVersion)
        let second = try other.send(SimulatedClient.fetchRequest("t", from: 30), version: SimulatedClient.fetchVersion)
        world.run(for: .seconds(1))
        #expect(broker.waitingReads == 1)
        // In the first block, which only the first of them wants.
        broker.alterSegment { bytes in bytes[8_192] ^= 0xFF }
        broker.setReaderStalled(false)
        #expect(try client.wait(for: first).topics[0].partitions[0].errorCode == .kafkaStorageError)
        #expect(try !other.wait(for: second).topics[0].partitions[0].readRecords().isEmpty)
    }

    @Test func `a new leader serves what it received as a follower, cold and warm`() throws {
        let (world, _) = try world(brokers: 3)
        let leader = try #require(world.leader())
        world.kill(leader)
        let client = world.client(of: try world.runUntilNewLeader(after: leader))
        for partition: Int32 in 0...1 {
            #expect(numbers(try client.consume("t", partition: partition)) == expected(partition))
        }
    }

    @Test func `a follower that was away catches up from the leader's disk`() throws {
        let (world, client) = try world(brokers: 3)
        let leader = try #require(world.leader())
        let follower = try #require(world.brokers.first { $0 !== leader })
        world.kill(follower)
        for number in 0..<40 { try client.produce(Self.batch(number, 7), to: "t", partition: 1) }
        try world.start(follower)
        let last = leader.broker.shards[0].node.lastIndex
        try world.run(until: "the follower has everything") { follower.broker.shards[0].node.appliedIndex >= last }
        // And can lead with it.
        for broker in world.brokers where broker !== follower { world.kill(broker) }
        let other = try #require(world.brokers.first { $0 !== leader && $0 !== follower })
        try world.start(other)
        try world.run(until: "a leader") { world.leader() != nil }
        let values = try world.client(of: try #require(world.leader())).consume("t", partition: 1)
        #expect(numbers(values) == expected(1) + (0..<40).map { "7/\($0)" })
    }

    @Test func `one damaged block costs its own partition's answer, and the connection goes on`() throws {
        let (world, client) = try world()
        let broker = world.brokers[0]
        // Somewhere in the middle of the log's first mebibyte, where nobody has read yet.
        broker.alterSegment { bytes in bytes[bytes.count / 2] ^= 0xFF }
        var codes: Set<ErrorCode> = []
        for number in 0..<Self.batchCount {
            codes.insert(try client.fetch("t", from: Int64(number), maxBytes: 1).errorCode)
        }
        #expect(codes.contains(.kafkaStorageError))
        #expect(!client.isClosed)
        #expect(try client.fetch("t", from: Int64(Self.batchCount - 1)).readRecords().count == 1)
    }

    @Test func `a search by time in a damaged block is a storage error`() throws {
        let (world, client) = try world()
        world.brokers[0].alterSegment { bytes in
            for position in stride(from: 8_192, to: bytes.count, by: 4_096) { bytes[position] ^= 0xFF }
        }
        #expect(try client.listOffset("t", timestamp: 5).errorCode == .kafkaStorageError)
    }
}
