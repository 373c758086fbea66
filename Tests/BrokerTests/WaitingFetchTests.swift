import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

/// Fetches that find too little and wait.
@Suite struct WaitingFetchTests {
    private func world(
        brokers: Int = 1, configure: (inout BrokerConfiguration) -> Void = { _ in }
    ) throws -> (World, reader: SimulatedClient, writer: SimulatedClient) {
        let world = try World.ready(brokers: brokers, configure: configure)
        let leader = try #require(world.leader())
        let reader = world.client(of: leader)
        try reader.createTopic("t", partitions: 3)
        return (world, reader, world.client(of: leader))
    }

    private func wait(
        _ client: SimulatedClient, from offset: Int64 = 0, minBytes: Int32 = 1, maxWait: Int32 = 10_000,
        partitions: [Int32] = [0]
    ) throws -> SimulatedClient.Call<FetchRequest> {
        let request = SimulatedClient.fetchRequest("t", from: offset, maxWait: maxWait, minBytes: minBytes) { request in
            let template = request.topics[0].partitions[0]
            request.topics[0].partitions = partitions.map { number in
                var partition = template
                partition.partition = number
                return partition
            }
        }
        return try client.send(request, version: SimulatedClient.fetchVersion)
    }

    @Test func `an append wakes it at once`() throws {
        let (world, reader, writer) = try world()
        let call = try wait(reader)
        world.run(for: .seconds(2))
        #expect(!call.isAnswered)
        try writer.produce(.batch("a"), to: "t")
        #expect(call.isAnswered)
        #expect(try call.response?.topics[0].partitions[0].readRecords().count == 1)
        #expect(world.brokers[0].broker.waitingFetchCount == 0)
    }

    @Test func `an append to another partition does not wake it`() throws {
        let (world, reader, writer) = try world()
        let call = try wait(reader, partitions: [0, 2])
        try writer.produce(.batch("a"), to: "t", partition: 1)
        world.run(for: .seconds(1))
        #expect(!call.isAnswered)
        try writer.produce(.batch("a"), to: "t", partition: 2)
        #expect(call.isAnswered)
    }

    @Test func `it waits until there are as many bytes as it asks for`() throws {
        let (world, reader, writer) = try world()
        let batch = try ByteBuffer.batch("0123456789")
        let call = try wait(reader, minBytes: Int32(3 * batch.readableBytes))
        for _ in 0..<2 {
            try writer.produce(batch, to: "t")
            world.run(for: .milliseconds(100))
            #expect(!call.isAnswered)
        }
        try writer.produce(batch, to: "t")
        #expect(try call.response?.topics[0].partitions[0].readHeaders().count == 3)
    }

    @Test func `bytes count over all its partitions`() throws {
        let (_, reader, writer) = try world()
        let batch = try ByteBuffer.batch("0123456789")
        let call = try wait(reader, minBytes: Int32(2 * batch.readableBytes), partitions: [0, 1])
        try writer.produce(batch, to: "t", partition: 0)
        #expect(!call.isAnswered)
        try writer.produce(batch, to: "t", partition: 1)
        #expect(try call.response?.topics[0].partitions.map { try $0.readHeaders().count } == [1, 1])
    }

    @Test func `when its time is up it answers with what there is`() throws {
        let (world, reader, writer) = try world()
        try writer.produce(.batch("a"), to: "t")
        let call = try wait(reader, minBytes: 1_000_000, maxWait: 500)
        world.run(for: .milliseconds(495))
        #expect(!call.isAnswered)
        world.run(for: .milliseconds(10))
        #expect(try call.response?.topics[0].partitions[0].readRecords().count == 1)
    }

    @Test func `nothing at all is an answer too, when the time is up`() throws {
        let (world, reader, _) = try world()
        let call = try wait(reader, maxWait: 500)
        world.run(for: .milliseconds(510))
        #expect(call.response?.topics[0].partitions[0].errorCode == ErrorCode.none)
        #expect(call.response?.topics[0].partitions[0].records.isEmpty == true)
        #expect(world.brokers[0].broker.waitingFetchCount == 0)
    }

    @Test func `an error is answered at once`() throws {
        let (_, reader, _) = try world()
        let call = try wait(reader, partitions: [0, 9])
        #expect(call.response?.topics[0].partitions.map(\.errorCode) == [.none, .unknownTopicOrPartition])
    }

    @Test func `no fetch waits longer than the broker allows`() throws {
        let (world, reader, _) = try world { $0.requestWaitMax = 200 }
        let call = try wait(reader, maxWait: .max)
        world.run(for: .milliseconds(210))
        #expect(call.isAnswered)
    }

    @Test func `a change of leader wakes it with the reason`() throws {
        let (world, reader, _) = try world(brokers: 3)
        let leader = try #require(world.leader())
        let call = try wait(reader, maxWait: 60_000)
        world.run(for: .milliseconds(100))
        #expect(leader.broker.waitingFetchCount == 1)
        world.setConnected(leader, false)
        let answer = try reader.wait(for: call).topics[0].partitions[0]
        #expect(answer.errorCode == .notLeaderOrFollower)
        #expect(leader.broker.waitingFetchCount == 0)
    }

    @Test func `when as many wait as may, the next one is answered at once`() throws {
        let (_, reader, writer) = try world { $0.waitingFetchesMax = 1 }
        let first = try wait(reader)
        #expect(!first.isAnswered)
        let second = try wait(writer)
        #expect(second.isAnswered)
    }

    @Test func `many readers of one partition are all woken by one append`() throws {
        let (world, _, writer) = try world()
        let readers = (0..<50).map { _ in world.client(of: world.brokers[0]) }
        let calls = try readers.map { try wait($0) }
        try writer.produce(.batch("a"), to: "t")
        #expect(calls.allSatisfy { $0.isAnswered })
        #expect(readers.allSatisfy { $0.answered == [1] })
    }

    @Test func `a partition that is named twice is answered twice`() throws {
        let (world, reader, writer) = try world()
        let call = try wait(reader, minBytes: 100_000, maxWait: 300, partitions: [0, 0])
        try writer.produce(.batch("a"), to: "t")
        world.run(for: .seconds(1))
        #expect(try call.response?.topics[0].partitions.map { try $0.readRecords().count } == [1, 1])
        #expect(world.brokers[0].broker.waitingFetchCount == 0)
    }
}
