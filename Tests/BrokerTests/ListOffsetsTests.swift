import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

/// ListOffsets and OffsetForLeaderEpoch.
@Suite struct ListOffsetsTests {
    private typealias Special = ListOffsetsRequest.Timestamp

    /// A topic with these batches, one after the other; every record has its timestamp.
    private func world(
        _ batches: [[Milliseconds]], codec: Codec = .none, tailBytesMax: Int = 64.mebibytes
    ) throws -> (World, SimulatedClient) {
        let world = try World.ready { $0.tailBytesMax = tailBytesMax }
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t", partitions: 2)
        for timestamps in batches {
            try client.produce(.batch(timestamps.map { "\($0)" }, codec: codec, timestamps: timestamps), to: "t")
        }
        return (world, client)
    }

    @Test func `both ends of a partition are told`() throws {
        let (world, client) = try world([[10, 20], [30]])
        let epoch = world.brokers[0].broker.shards[0].leaderEpoch
        let latest = try client.listOffset("t", timestamp: Special.latest)
        #expect(latest.offset == 3 && latest.leaderEpoch == epoch && latest.timestamp == -1)
        for timestamp in [Special.earliest, Special.earliestLocal] {
            let earliest = try client.listOffset("t", timestamp: timestamp)
            #expect(earliest.offset == 0 && earliest.leaderEpoch == epoch && earliest.timestamp == -1)
        }
    }

    @Test func `both ends of an empty partition are 0, and no time is found in it`() throws {
        let (_, client) = try world([])
        #expect(try client.listOffset("t", timestamp: Special.latest).offset == 0)
        #expect(try client.listOffset("t", timestamp: Special.earliest).offset == 0)
        #expect(try client.listOffset("t", timestamp: Special.maximum).offset == -1)
        #expect(try client.listOffset("t", timestamp: 0).offset == -1)
    }

    @Test(arguments: [Codec.none, .gzip, .snappy, .lz4, .zstd])
    func `a time finds the first record that is not older, inside its batch`(codec: Codec) throws {
        let (_, client) = try world([[10, 20, 30], [25, 40], [50]], codec: codec)
        func find(_ timestamp: Milliseconds) throws -> [Int64] {
            let answer = try client.listOffset("t", timestamp: timestamp)
            #expect(answer.errorCode == .none)
            return [answer.offset, answer.timestamp]
        }
        #expect(try find(0) == [0, 10])
        #expect(try find(10) == [0, 10])
        #expect(try find(11) == [1, 20])
        #expect(try find(30) == [2, 30])
        #expect(try find(31) == [4, 40])
        #expect(try find(50) == [5, 50])
        #expect(try find(51) == [-1, -1])
    }

    @Test func `the largest time is found where it is, not at the end`() throws {
        let (_, client) = try world([[10, 90, 20], [30], [90]])
        let answer = try client.listOffset("t", timestamp: Special.maximum)
        #expect(answer.offset == 1)
        #expect(answer.timestamp == 90)
    }

    @Test func `the answer names the epoch of the record`() throws {
        let world = try World.ready(brokers: 3)
        let leader = try #require(world.leader())
        let client = world.client(of: leader)
        try client.createTopic("t")
        try client.produce(.batch("old", timestamps: [10]), to: "t")
        let oldEpoch = leader.broker.shards[0].leaderEpoch
        world.kill(leader)
        let successor = try world.runUntilNewLeader(after: leader)
        let second = world.client(of: successor)
        try second.produce(.batch("new", timestamps: [20]), to: "t")
        let newEpoch = successor.broker.shards[0].leaderEpoch
        #expect(oldEpoch < newEpoch)
        #expect(try second.listOffset("t", timestamp: 10).leaderEpoch == oldEpoch)
        #expect(try second.listOffset("t", timestamp: 20).leaderEpoch == newEpoch)
        #expect(try second.listOffset("t", timestamp: Special.earliest).leaderEpoch == oldEpoch)
        #expect(try second.listOffset("t", timestamp: Special.latest).leaderEpoch == newEpoch)
    }

    @Test func `a time is found on disk when it is no longer in memory`() throws {
        let timestamps = (0..<200).map { [Milliseconds($0 * 10), Milliseconds($0 * 10 + 5)] }
        let (_, client) = try world(timestamps, tailBytesMax: 1_024)
        for wanted: Milliseconds in [0, 3, 777, 1_995] {
            let answer = try client.listOffset("t", timestamp: wanted)
            #expect(answer.timestamp >= wanted && answer.timestamp < wanted + 10)
            #expect(answer.offset == (wanted + 4) / 5)
        }
    }

    @Test func `a header that promises a time no record has leads to the batch's beginning`() throws {
        let (_, client) = try world([[10]])
        var lying = try ByteBuffer.batch("a", "b", timestamps: [20, 30])
        let maxTimestampAt = 35
        lying.setInteger(Int64(1_000), at: maxTimestampAt)
        lying.setInteger(RecordBatchHeader.checksum(of: lying), at: 17)
        #expect(try client.produce(lying, to: "t").errorCode == .none)
        let answer = try client.listOffset("t", timestamp: 500)
        #expect(answer.offset == 1)
    }

    @Test func `nothing is in tiered storage, and other questions are not understood`() throws {
        let (_, client) = try world([[10]])
        #expect(try client.listOffset("t", timestamp: Special.latestTiered).offset == -1)
        #expect(try client.listOffset("t", timestamp: -6).errorCode == .unsupportedVersion)
        #expect(try client.listOffset("t", timestamp: .min).errorCode == .unsupportedVersion)
    }

    @Test func `missing topics, missing partitions and other epochs are refused`() throws {
        let (world, client) = try world([[10]])
        let epoch = world.brokers[0].broker.shards[0].leaderEpoch
        #expect(try client.listOffset("u", timestamp: -1).errorCode == .unknownTopicOrPartition)
        #expect(try client.listOffset("t", partition: 2, timestamp: -1).errorCode == .unknownTopicOrPartition)
        #expect(try client.listOffset("t", timestamp: -1, epoch: epoch).errorCode == .none)
        #expect(try client.listOffset("t", timestamp: -1, epoch: epoch - 1).errorCode == .fencedLeaderEpoch)
        #expect(try client.listOffset("t", timestamp: -1, epoch: epoch + 1).errorCode == .unknownLeaderEpoch)
    }

    @Test func `partitions of several topics are answered in their places`() throws {
        let (_, client) = try world([[10], [20]])
        try client.createTopic("u")
        try client.produce(.batch("x"), to: "u")
        let request = ListOffsetsRequest { request in
            let wanted: [(String, [Int32])] = [("t", [1, 0, 7]), ("none", [0]), ("u", [0])]
            request.topics = wanted.map { name, partitions in
                ListOffsetsRequest.Topic { topic in
                    topic.name = name
                    topic.partitions = partitions.map { number in
                        ListOffsetsRequest.Partition {
                            $0.partitionIndex = number
                            $0.timestamp = -1
                        }
                    }
                }
            }
        }
        let topics = try client.call(request).topics
        #expect(topics.map(\.name) == ["t", "none", "u"])
        #expect(topics.map { $0.partitions.map(\.offset) } == [[0, 2, -1], [-1], [1]])
        #expect(topics.map { $0.partitions.map(\.partitionIndex) } == [[1, 0, 7], [0], [0]])
    }

    // MARK: Leader epochs

    @Test func `each epoch ends where the next began`() throws {
        let world = try World.ready(brokers: 3)
        let leader = try #require(world.leader())
        let client = world.client(of: leader)
        try client.createTopic("t")
        try client.produce(.batch("a", "b"), to: "t")
        let first = leader.broker.shards[0].leaderEpoch
        world.kill(leader)
        let successor = try world.runUntilNewLeader(after: leader)
        let second = world.client(of: successor)
        let current = successor.broker.shards[0].leaderEpoch
        // Nothing was written in the new epoch yet.
        #expect(try second.endOffset("t", ofEpoch: first).endOffset == 2)
        try second.produce(.batch("c"), to: "t")
        #expect(try second.endOffset("t", ofEpoch: first).endOffset == 2)
        #expect(try second.endOffset("t", ofEpoch: first).leaderEpoch == first)
        #expect(try second.endOffset("t", ofEpoch: current).endOffset == 3)
        #expect(try second.endOffset("t", ofEpoch: current).leaderEpoch == current)
        // Between the two: the older one is the newest that is not above it.
        if current > first + 1 { #expect(try second.endOffset("t", ofEpoch: first + 1).leaderEpoch == first) }
        let unknown = try second.endOffset("t", ofEpoch: current + 1)
        #expect(unknown.errorCode == .none && unknown.leaderEpoch == -1 && unknown.endOffset == -1)
    }

    @Test func `an epoch before everything that was written ends at the beginning`() throws {
        let (_, client) = try world([[10]])
        let answer = try client.endOffset("t", ofEpoch: 0)
        #expect(answer.errorCode == .none)
        #expect(answer.leaderEpoch == 0)
        #expect(answer.endOffset == 0)
        #expect(try client.endOffset("t", partition: 1, ofEpoch: 0).endOffset == 0)
    }

    @Test func `epochs of what is not here are refused`() throws {
        let (world, client) = try world([[10]])
        let epoch = world.brokers[0].broker.shards[0].leaderEpoch
        #expect(try client.endOffset("u", ofEpoch: 0).errorCode == .unknownTopicOrPartition)
        #expect(try client.endOffset("t", partition: 9, ofEpoch: 0).errorCode == .unknownTopicOrPartition)
        #expect(try client.endOffset("t", ofEpoch: 0, currentEpoch: epoch - 1).errorCode == .fencedLeaderEpoch)
        #expect(try client.endOffset("t", ofEpoch: 0, currentEpoch: epoch + 1).errorCode == .unknownLeaderEpoch)
    }
}
