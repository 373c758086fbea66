import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

/// DeleteRecords, and what everybody sees of it.
@Suite struct DeleteRecordsTests {
    private typealias Special = ListOffsetsRequest.Timestamp

    /// A topic with three batches of three records; the values are the offsets, the times ten times them.
    private func world(brokers: Int = 1, tailBytesMax: Int = 64.mebibytes) throws -> (World, SimulatedClient) {
        let world = try World.ready(brokers: brokers) { $0.tailBytesMax = tailBytesMax }
        let client = world.client(of: try #require(world.leader()))
        try client.createTopic("t", partitions: 2)
        for first in [0, 3, 6] {
            let offsets = first..<first + 3
            try client.produce(
                .batch(offsets.map { "\($0)" }, timestamps: offsets.map { Milliseconds($0 * 10) }), to: "t")
        }
        return (world, client)
    }

    @Test(arguments: DeleteRecordsRequest.versions)
    func `what lies before the offset is gone, for readers and for the ends of the partition`(version: Int16) throws {
        let (_, client) = try world()
        let deleted = try client.deleteRecords("t", before: 4, version: version)
        #expect(deleted.errorCode == .none)
        #expect(deleted.lowWatermark == 4)
        #expect(try client.listOffset("t", timestamp: Special.earliest).offset == 4)
        #expect(try client.listOffset("t", timestamp: Special.latest).offset == 9)
        let below = try client.fetch("t", from: 3)
        #expect(below.errorCode == .offsetOutOfRange)
        #expect(below.logStartOffset == 4)
        #expect(try client.consume("t", from: 4) == ["4", "5", "6", "7", "8"])
        #expect(try client.produce(.batch("9"), to: "t").logStartOffset == 4)
    }

    @Test func `deleting goes forward only`() throws {
        let (_, client) = try world()
        #expect(try client.deleteRecords("t", before: 5).lowWatermark == 5)
        #expect(try client.deleteRecords("t", before: 2).lowWatermark == 5)
        #expect(try client.deleteRecords("t", before: 0).lowWatermark == 5)
        #expect(try client.consume("t", from: 5) == ["5", "6", "7", "8"])
    }

    @Test func `-1 deletes all there is, and new records get the next offsets`() throws {
        let (_, client) = try world()
        #expect(try client.deleteRecords("t", before: -1).lowWatermark == 9)
        #expect(try client.listOffset("t", timestamp: Special.earliest).offset == 9)
        #expect(try client.consume("t", from: 9).isEmpty)
        #expect(try client.listOffset("t", timestamp: 0).offset == -1)
        #expect(try client.listOffset("t", timestamp: Special.maximum).offset == -1)
        #expect(try client.produce(.batch("new"), to: "t").baseOffset == 9)
        #expect(try client.consume("t", from: 9) == ["new"])
    }

    @Test func `offsets beyond the end and partitions that are not there are refused`() throws {
        let (_, client) = try world()
        for (partition, offset, code): (Int32, Int64, ErrorCode) in [
            (0, 10, .offsetOutOfRange), (0, -2, .offsetOutOfRange), (1, 1, .offsetOutOfRange),
            (2, 0, .unknownTopicOrPartition), (-1, 0, .unknownTopicOrPartition),
        ] {
            let refused = try client.deleteRecords("t", partition: partition, before: offset)
            #expect(refused.errorCode == code)
            #expect(refused.lowWatermark == -1)
        }
        #expect(try client.deleteRecords("u", before: 0).errorCode == .unknownTopicOrPartition)
        #expect(try client.deleteRecords("t", partition: 1, before: -1).lowWatermark == 0)
    }

    @Test func `times are looked for among the records that are left, even inside a batch`() throws {
        let (_, client) = try world()
        _ = try client.deleteRecords("t", before: 4)
        func find(_ timestamp: Milliseconds) throws -> [Int64] {
            let answer = try client.listOffset("t", timestamp: timestamp)
            return [answer.offset, answer.timestamp]
        }
        #expect(try find(0) == [4, 40])
        #expect(try find(45) == [5, 50])
        #expect(try find(60) == [6, 60])
        #expect(try find(81) == [-1, -1])
        #expect(try find(Special.maximum) == [8, 80])
    }

    @Test(arguments: [64.mebibytes, 1_024])
    func `a time that only deleted records have leads to the next best`(tailBytesMax: Int) throws {
        let world = try World.ready { $0.tailBytesMax = tailBytesMax }
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t")
        try client.produce(.batch("a", "b", timestamps: [90, 20]), to: "t")
        // Far enough behind in the log to stand in another run of the index.
        try client.produce(
            .batch(String(repeating: "x", count: OffsetIndex.spanBytesMax), timestamps: [10]), to: "t")
        try client.produce(.batch("c", timestamps: [50]), to: "t")
        _ = try client.deleteRecords("t", before: 1)
        #expect(try client.listOffset("t", timestamp: 80).offset == -1)
        #expect(try client.listOffset("t", timestamp: 30).offset == 3)
        #expect(try client.listOffset("t", timestamp: 15).offset == 1)
        #expect(try client.listOffset("t", timestamp: Special.maximum).timestamp == 50)
    }

    @Test func `a follower refuses, and has the same beginning when it leads`() throws {
        let (world, client) = try world(brokers: 3)
        let leader = try #require(world.leader())
        let follower = try #require(world.brokers.first { $0 !== leader })
        #expect(try world.client(of: follower).deleteRecords("t", before: 1).errorCode == .notLeaderOrFollower)
        #expect(try client.deleteRecords("t", before: 4).lowWatermark == 4)
        world.run(for: .seconds(1))
        let digests = world.brokers.map { broker in broker.read { $0.stateDigest(of: .metadata) } }
        #expect(Set(digests).count == 1)
        world.kill(leader)
        let successor = world.client(of: try world.runUntilNewLeader(after: leader))
        #expect(try successor.listOffset("t", timestamp: Special.earliest).offset == 4)
        #expect(try successor.fetch("t", from: 0).errorCode == .offsetOutOfRange)
    }

    @Test func `a restart finds the beginning where it was`() throws {
        let (world, client) = try world()
        #expect(try client.deleteRecords("t", before: 7).lowWatermark == 7)
        world.kill(world.brokers[0])
        try world.start(world.brokers[0])
        try world.runUntilReady()
        let again = world.client(of: world.brokers[0])
        #expect(try again.listOffset("t", timestamp: Special.earliest).offset == 7)
        #expect(try again.consume("t", from: 7) == ["7", "8"])
    }
}
