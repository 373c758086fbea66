import Basics
import KafkaWire
import NIOCore
import SegmentLog
import Testing

@testable import Broker

@Suite struct ProduceTests {
    private static let version = SimulatedClient.produceVersion

    private func world(
        configs: [String: String] = [:], configure: (inout BrokerConfiguration) -> Void = { _ in }
    ) throws -> (World, SimulatedClient) {
        let world = try World.ready(configure: configure)
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t", partitions: 2, configs: configs)
        return (world, client)
    }

    // MARK: Success

    @Test func `offsets are dense and begin at 0 in each partition`() throws {
        let (_, client) = try world()
        #expect(try client.produce(.batch("a", "b"), to: "t").baseOffset == 0)
        #expect(try client.produce(.batch("c"), to: "t").baseOffset == 2)
        #expect(try client.produce(.batch("d"), to: "t", partition: 1).baseOffset == 0)
        #expect(try client.produce(.batch("e"), to: "t").baseOffset == 3)
        #expect(try client.consume("t") == ["a", "b", "c", "e"])
        #expect(try client.consume("t", partition: 1) == ["d"])
    }

    @Test(arguments: [1, -1] as [Int16])
    func `an answer means that the batch is flushed on a quorum`(acks: Int16) throws {
        let world = try World.ready(brokers: 3)
        let leader = try #require(world.leader())
        let client = world.client(of: leader)
        try client.createTopic("t")
        #expect(try client.produce(.batch("a"), to: "t", acks: acks).errorCode == .none)
        // At that very moment the power fails everywhere.
        for broker in world.brokers { world.kill(broker) }
        for broker in world.brokers { try world.start(broker) }
        try world.runUntilReady()
        #expect(try world.client(of: try #require(world.leader())).consume("t") == ["a"])
    }

    @Test(arguments: [Codec.none, .gzip, .snappy, .lz4, .zstd])
    func `a batch comes back as it was sent, whatever its codec`(codec: Codec) throws {
        let (_, client) = try world()
        let values = (0..<50).map { "value \($0 % 7)" }
        let batch = try ByteBuffer.batch(values, codec: codec)
        #expect(try client.produce(batch, to: "t").errorCode == .none)
        let answer = try client.fetch("t", from: 0)
        #expect(try answer.readHeaders().map(\.attributes.codec) == [codec])
        #expect(try answer.readRecords().map { $0.value.map { String(buffer: $0) } } == values)
        // Byte for byte, behind the two fields that the broker assigns.
        #expect(answer.records.contiguous.dropFirst(16) == batch.dropFirst(16))
    }

    @Test func `topics are found by id from version 13 on`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        let id = try client.createTopic("t").topicID
        var request = SimulatedClient.produceRequest(try .batch("a"), to: "")
        request.topics[0].topicID = id
        let topic = try #require(try client.call(request, version: 13).topics.first)
        #expect(topic.topicID == id)
        #expect(topic.partitions.map(\.errorCode) == [.none])
        request.topics[0].topicID = TopicID(high: 1, low: 1)
        #expect(try client.call(request, version: 13).topics[0].partitions.map(\.errorCode) == [.unknownTopicID])
    }

    @Test func `a partition that a topic of a known id does not have is not an unknown id`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        let id = try client.createTopic("t").topicID
        var request = SimulatedClient.produceRequest(try .batch("a"), to: "", partition: 5)
        request.topics[0].topicID = id
        let answer = try client.call(request, version: 13).topics[0].partitions[0]
        #expect(answer.errorCode == .unknownTopicOrPartition)
    }

    @Test func `several partitions in one request are answered together`() throws {
        let (_, client) = try world()
        var request = SimulatedClient.produceRequest(try .batch("a"), to: "t")
        request.topics[0].partitions.append(
            ProduceRequest.Partition {
                $0.index = 1
                $0.records = try? .batch("b")
            })
        request.topics[0].partitions.append(ProduceRequest.Partition { $0.index = 9 })
        let partitions = try client.call(request, version: Self.version).topics[0].partitions
        #expect(partitions.map(\.index) == [0, 1, 9])
        #expect(partitions.map(\.errorCode) == [.none, .none, .unknownTopicOrPartition])
        #expect(partitions.map(\.baseOffset) == [0, 0, -1])
    }

    @Test func `a request without topics is answered at once`() throws {
        let (_, client) = try world()
        let call = try client.send(ProduceRequest { $0.acks = -1 }, version: Self.version)
        #expect(call.isAnswered)
    }

    @Test func `records dated by the broker carry its time, and the answer tells it`() throws {
        let (world, client) = try world(configs: ["message.timestamp.type": "LogAppendTime"])
        let before = world.wallClock
        let answer = try client.produce(.batch("a", "b", timestamps: [1, 2]), to: "t")
        #expect((before...world.wallClock).contains(answer.logAppendTimeMs))
        let records = try client.fetch("t", from: 0).readRecords()
        #expect(records.map(\.timestamp) == [answer.logAppendTimeMs, answer.logAppendTimeMs])
    }

    // MARK: acks

    @Test(arguments: [2, -2, Int16.max])
    func `other acks than 0, 1 and -1 are refused`(acks: Int16) throws {
        let (_, client) = try world()
        #expect(try client.produce(.batch("a"), to: "t", acks: acks).errorCode == .invalidRequiredAcks)
        #expect(try client.consume("t").isEmpty)
    }

    @Test func `with acks=0 an error closes the connection, which is all that its producer can notice`() throws {
        let (world, client) = try world()
        _ = try client.send(
            SimulatedClient.produceRequest(.batch("a"), to: "missing", acks: 0), version: Self.version)
        world.run(for: .milliseconds(100))
        #expect(client.isClosed)
    }

    // MARK: Refusals

    @Test func `missing topics and partitions are unknown`() throws {
        let (_, client) = try world()
        #expect(try client.produce(.batch("a"), to: "u").errorCode == .unknownTopicOrPartition)
        for partition: Int32 in [2, -1, .max, .min] {
            let answer = try client.produce(.batch("a"), to: "t", partition: partition)
            #expect(answer.errorCode == .unknownTopicOrPartition)
            #expect(answer.baseOffset == -1)
        }
    }

    @Test func `no batch, two batches, half a batch and a damaged batch are refused`() throws {
        let (_, client) = try world()
        let batch = try ByteBuffer.batch("a")
        var two = batch
        two.writeImmutableBuffer(batch)
        var damaged = batch
        damaged.setInteger(UInt8(0xAA), at: batch.writerIndex - 1)
        let half = batch.getSlice(at: 0, length: batch.readableBytes / 2)
        #expect(try client.produce(nil, to: "t").errorCode != .none)
        #expect(try client.produce(ByteBuffer(), to: "t").errorCode != .none)
        #expect(try client.produce(two, to: "t").errorCode == .invalidRecord)
        #expect(try client.produce(damaged, to: "t").errorCode == .corruptMessage)
        #expect(try client.produce(half, to: "t").errorCode == .corruptMessage)
        #expect(try client.consume("t").isEmpty)
    }

    @Test func `a batch larger than the topic allows is refused, one as large is taken`() throws {
        let size = try ByteBuffer.batch("0123456789").readableBytes
        let (_, client) = try world(configs: ["max.message.bytes": "\(size)"])
        #expect(try client.produce(.batch("0123456789"), to: "t").errorCode == .none)
        #expect(try client.produce(.batch("0123456789a"), to: "t").errorCode == .messageTooLarge)
    }

    @Test func `transactional batches are refused`() throws {
        let (_, client) = try world()
        let batch = try ByteBuffer.batch("a", producer: .init(id: 1, sequence: 0)) { $0.isTransactional = true }
        #expect(try client.produce(batch, to: "t").errorCode == .invalidTxnState)
    }

    @Test func `timestamps too far from the broker's clock are refused`() throws {
        let (world, client) = try world(configs: [
            "message.timestamp.before.max.ms": "1000", "message.timestamp.after.max.ms": "2000",
        ])
        func code(_ offset: Milliseconds) throws -> ErrorCode {
            try client.produce(.batch("a", timestamps: [world.wallClock + offset]), to: "t").errorCode
        }
        #expect(try code(-900) == .none)
        #expect(try code(-1_100) == .invalidTimestamp)
        #expect(try code(2_000) == .none)
        #expect(try code(2_100) == .invalidTimestamp)
    }

    @Test(arguments: [.min, .max, -1, 0] as [Milliseconds])
    func `the most extreme timestamps are judged like any other`(timestamp: Milliseconds) throws {
        let (world, client) = try world()
        let code = try client.produce(.batch("a", timestamps: [timestamp]), to: "t").errorCode
        #expect(
            code
                == (abs(timestamp.subtractingReportingOverflow(world.wallClock).partialValue) < 1 << 60
                    ? .none : .invalidTimestamp))
    }

    @Test func `a timestamp exactly 2^63 ms before the broker's clock is refused`() throws {
        let (world, client) = try world()
        let code = try client.produce(.batch("a", timestamps: [.min + world.wallClock]), to: "t").errorCode
        #expect(code == .invalidTimestamp)
    }

    // MARK: Bounds

    @Test func `more than may wait is refused, and the rest of the request answered truly`() throws {
        let (_, client) = try world { $0.pendingBytesMax = 4_096 }
        let large = try ByteBuffer.batch(String(repeating: "x", count: 3_500))
        let first = try client.send(SimulatedClient.produceRequest(large, to: "t"), version: Self.version)
        var request = SimulatedClient.produceRequest(large, to: "t")
        request.topics[0].partitions.append(
            ProduceRequest.Partition {
                $0.index = 1
                $0.records = try? .batch("small")
            })
        let second = try client.send(request, version: Self.version)
        _ = try client.wait(for: first)
        let partitions = try client.wait(for: second).topics[0].partitions
        #expect(partitions.map(\.errorCode) == [.requestTimedOut, .none])
        #expect(partitions.map(\.baseOffset) == [-1, 0])
        #expect(try client.consume("t", partition: 1) == ["small"])
    }

    @Test func `one batch larger than all that may wait is taken when nothing waits`() throws {
        let (_, client) = try world { $0.pendingBytesMax = 1_024 }
        let batch = try ByteBuffer.batch(String(repeating: "x", count: 5_000))
        #expect(try client.produce(batch, to: "t").errorCode == .none)
    }

    @Test func `a broker with much waiting is congested until it is committed`() throws {
        let (world, client) = try world { $0.pendingBytesMax = 4_096 }
        let broker = world.brokers[0]
        let call = try client.send(
            SimulatedClient.produceRequest(.batch(String(repeating: "x", count: 3_000)), to: "t"), version: Self.version
        )
        #expect(broker.broker.isCongested)
        var isReleased = false
        broker.read { $0.whenUncongested { isReleased = true } }
        #expect(!isReleased)
        _ = try client.wait(for: call)
        world.run(for: .milliseconds(100))
        #expect(!broker.broker.isCongested)
        #expect(isReleased)
    }

    // MARK: Leaders

    @Test func `a follower refuses and names the leader and where it is`() throws {
        let world = try World.ready(brokers: 3)
        let leader = try #require(world.leader())
        let follower = try #require(world.brokers.first { $0 !== leader })
        try world.client(of: leader).createTopic("t")
        world.run(for: .seconds(1))
        let response = try world.client(of: follower).call(
            SimulatedClient.produceRequest(.batch("a"), to: "t"), version: 10)
        let partition = response.topics[0].partitions[0]
        #expect(partition.errorCode == .notLeaderOrFollower)
        #expect(partition.currentLeader.leaderID == leader.id.rawValue)
        #expect(partition.currentLeader.leaderEpoch == leader.broker.shards[0].leaderEpoch)
        #expect(response.nodeEndpoints.map(\.nodeID) == [leader.id.rawValue])
        #expect(response.nodeEndpoints.map(\.host) == [leader.configuration.advertisedHost])
        #expect(response.nodeEndpoints.map(\.port) == [leader.configuration.advertisedPort])
    }

    @Test func `without a quorum a produce times out at its own time`() throws {
        let world = try World.ready(brokers: 3)
        let leader = try #require(world.leader())
        let client = world.client(of: leader)
        try client.createTopic("t")
        for broker in world.brokers { world.setConnected(broker, false) }
        let call = try client.send(
            SimulatedClient.produceRequest(.batch("a"), to: "t", timeout: 100), version: Self.version)
        world.run(for: .milliseconds(90))
        #expect(!call.isAnswered)
        let answer = try client.wait(for: call).topics[0].partitions[0]
        #expect(answer.errorCode == .requestTimedOut)
        #expect(answer.baseOffset == -1)
    }

    @Test func `a leader that loses its quorum tells its producers to look for another one`() throws {
        let world = try World.ready(brokers: 3)
        let leader = try #require(world.leader())
        let client = world.client(of: leader)
        try client.createTopic("t")
        world.setConnected(leader, false)
        let answer = try client.produce(.batch("lost"), to: "t")
        #expect(answer.errorCode == .notLeaderOrFollower)
        let successor = try world.runUntilNewLeader(after: leader)
        #expect(try world.client(of: successor).produce(.batch("kept"), to: "t").baseOffset == 0)
        world.setConnected(leader, true)
        try world.runUntilReady()
        world.run(for: .seconds(1))
        #expect(try world.client(of: try #require(world.leader())).consume("t") == ["kept"])
    }

    @Test func `a disk that refuses a write ends the leadership and its produces`() throws {
        let (world, client) = try world()
        let broker = world.brokers[0]
        broker.disk.failNext(.flush, errno: 5)
        let answer = try client.produce(.batch("a"), to: "t")
        #expect(answer.errorCode != .none)
        #expect(answer.baseOffset == -1)
        #expect(broker.storageFailure != nil)
        #expect(try client.produce(.batch("b"), to: "t").errorCode != .none)
    }
}

extension ByteBuffer {
    /// The readable bytes without the first `count`.
    fileprivate func dropFirst(_ count: Int) -> ByteBuffer? {
        getSlice(at: readerIndex + count, length: readableBytes - count)
    }
}
