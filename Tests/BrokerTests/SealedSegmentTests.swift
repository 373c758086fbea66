import Basics
import KafkaWire
import NIOCore
import Raft
import SegmentLog
import Testing

@testable import Broker

/// Offsets in sealed segments, whose tables have left memory.
@Suite struct SealedSegmentTests {
    private static let batchCount = 120
    private static let key = PartitionKey(TopicNumber(1), 0)

    /// A world with 120 batches of 50 KiB in each of two partitions, in about twelve segments, of which no table stays
    /// in memory but the one used last.
    private func world(brokers: Int = 1) throws -> (World, SimulatedClient) {
        let world = try World.ready(brokers: brokers) {
            $0.tailBytesMax = 512.kibibytes
            $0.offsetTableBytesMax = 0
        }
        let client = world.client(of: try #require(world.leader()))
        try client.createTopic("t", partitions: 2)
        for number in 0..<Self.batchCount {
            for partition: Int32 in 0...1 {
                try client.produce(Self.batch(number, partition), to: "t", partition: partition)
            }
        }
        return (world, client)
    }

    /// Bytes that no codec can shrink; the number is the timestamp too.
    private static func batch(_ number: Int, _ partition: Int32) throws -> ByteBuffer {
        var random = RandomSource(seed: UInt64(number) << 8 | UInt64(partition))
        let noise = (0..<6_400).map { _ in String(random.next(), radix: 36) }.joined().prefix(50_000)
        return try .batch("\(partition)/\(number) \(noise)", timestamps: [Int64(number) * 10])
    }

    private func numbers(_ values: [String]) -> [String] { values.map { String($0.prefix { $0 != " " }) } }

    private func expected(_ partition: Int32) -> [String] { (0..<Self.batchCount).map { "\(partition)/\($0)" } }

    private func index(_ broker: SimulatedBroker) throws -> OffsetIndex {
        try #require(broker.read { $0.shards[0].machine.state(of: Self.key)?.index })
    }

    @Test func `everything is read from the beginning, by large fetches and by small ones`() throws {
        let (world, client) = try world()
        #expect(try index(world.brokers[0]).sealed.newest != nil)
        for partition: Int32 in 0...1 {
            #expect(numbers(try client.consume("t", partition: partition)) == expected(partition))
        }
        #expect(numbers(try client.consume("t", maxBytes: 1)) == expected(0))
    }

    @Test func `memory holds the runs of the newest segment alone, however long the log is`() throws {
        let (world, client) = try world()
        let before = try index(world.brokers[0]).runs.count
        for number in 0..<Self.batchCount { try client.produce(Self.batch(number, 0), to: "t") }
        let after = try index(world.brokers[0])
        #expect(max(before, after.runs.count) <= SimulatedBroker.segmentBytes / 50_000)
        #expect((1...8).contains(after.sealed.links.count))
    }

    @Test func `a time is found in any segment, and the largest one too`() throws {
        let (_, client) = try world()
        for number in stride(from: 1, to: Self.batchCount, by: 7) {
            let found = try client.listOffset("t", timestamp: Int64(number) * 10 - 3)
            #expect(found.offset == Int64(number))
            #expect(found.timestamp == Int64(number) * 10)
        }
        #expect(try client.listOffset("t", timestamp: Int64(Self.batchCount) * 10).offset == -1)
        #expect(try client.listOffset("t", timestamp: -3).offset == Int64(Self.batchCount) - 1)
    }

    @Test func `a fetch waits for a table from disk and nobody else does`() throws {
        let (world, client) = try world()
        let broker = world.brokers[0]
        broker.setReaderStalled(true)
        let cold = try client.send(SimulatedClient.fetchRequest("t", from: 0), version: SimulatedClient.fetchVersion)
        world.run(for: .seconds(1))
        #expect(!cold.isAnswered)
        let other = world.client(of: broker)
        #expect(try other.fetch("t", from: Int64(Self.batchCount) - 1).readRecords().count == 1)
        broker.setReaderStalled(false)
        #expect(try client.wait(for: cold).topics[0].partitions[0].readRecords().isEmpty == false)
    }

    @Test func `replicas derive the same tables, byte for byte`() throws {
        let (world, _) = try world(brokers: 3)
        let last = try #require(world.leader()).broker.shards[0].node.lastIndex
        try world.run(until: "all have applied everything") {
            world.brokers.allSatisfy { $0.broker.shards[0].node.appliedIndex == last }
        }
        world.run(for: .seconds(1))
        let newest = try #require(try index(world.brokers[0]).sealed.newest?.segment)
        for segment in [LogIndex(1), newest] {
            let files = world.brokers.map { $0.offsetsFile(segment) }
            #expect(files[0] != nil)
            #expect(files[0] == files[1] && files[1] == files[2])
        }
    }

    @Test func `a table damaged on disk is a storage error, and the next start derives it again`() throws {
        let (world, client) = try world()
        let broker = world.brokers[0]
        let whole = try #require(broker.offsetsFile(LogIndex(1)))
        broker.alterOffsetsFile(LogIndex(1)) { $0[$0.count / 2] ^= 0x10 }
        #expect(try client.fetch("t", from: 0).errorCode == .kafkaStorageError)
        #expect(try client.listOffset("t", timestamp: 5).errorCode == .kafkaStorageError)
        #expect(try client.fetch("t", from: Int64(Self.batchCount) - 1).readRecords().count == 1)
        world.kill(broker)
        try world.start(broker)
        try world.runUntilReady()
        #expect(broker.offsetsFile(LogIndex(1)) == whole)
        #expect(numbers(try world.client(of: broker).consume("t")) == expected(0))
    }
}
