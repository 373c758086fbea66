import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

/// InitProducerId, and what a partition makes of an idempotent producer's batches.
@Suite struct IdempotenceTests {
    private func world(brokers: Int = 1) throws -> (World, SimulatedClient) {
        let world = try World.ready(brokers: brokers)
        let client = world.client(of: try #require(world.leader()))
        try client.createTopic("t", partitions: 2)
        return (world, client)
    }

    private func newProducer(_ client: SimulatedClient) throws -> Int64 {
        let answer = try client.call(InitProducerIDRequest())
        #expect(answer.errorCode == .none)
        #expect(answer.producerEpoch == 0)
        return answer.producerID
    }

    // MARK: InitProducerId

    @Test func `every producer id is given once, also by later leaders and through followers`() throws {
        let (world, client) = try world(brokers: 3)
        var ids = try [newProducer(client), newProducer(client)]
        let leader = try #require(world.leader())
        world.kill(leader)
        let successor = try world.runUntilNewLeader(after: leader)
        ids.append(try newProducer(world.client(of: successor)))
        try world.start(leader)
        try world.runUntilReady()
        for broker in world.brokers { ids.append(try newProducer(world.client(of: broker))) }
        #expect(Set(ids).count == ids.count)
        #expect(ids.allSatisfy { $0 > 0 })
    }

    @Test func `many requests at once get an id each`() throws {
        let (world, client) = try world()
        let calls = try (0..<20).map { _ in try client.send(InitProducerIDRequest()) }
        world.run(for: .seconds(1))
        #expect(Set(calls.compactMap { $0.response?.producerID }).count == 20)
    }

    @Test func `a transactional producer is refused`() throws {
        let (_, client) = try world()
        let answer = try client.call(InitProducerIDRequest { $0.transactionalID = "x" })
        #expect(answer.errorCode == .transactionalIDNotFound)
        #expect(answer.producerID == -1)
    }

    @Test func `without a leader a producer id is to be asked for again`() throws {
        let (world, client) = try world(brokers: 3)
        for broker in world.brokers { world.setConnected(broker, false) }
        world.run(for: .seconds(3))
        #expect(try client.call(InitProducerIDRequest()).errorCode == .coordinatorLoadInProgress)
    }

    // MARK: Verdicts

    @Test func `a repeated batch gets the offset it had and is not stored again`() throws {
        let (_, client) = try world()
        let id = try newProducer(client)
        let batch = try ByteBuffer.batch("a", "b", producer: .init(id: id, sequence: 0))
        #expect(try client.produce(batch, to: "t").baseOffset == 0)
        #expect(try client.produce(.batch("c"), to: "t").baseOffset == 2)
        let repeated = try client.produce(batch, to: "t")
        #expect(repeated.errorCode == .none)
        #expect(repeated.baseOffset == 0)
        #expect(try client.consume("t") == ["a", "b", "c"])
    }

    @Test func `a batch repeated while the first is under way is stored once`() throws {
        let (_, client) = try world()
        let batch = try ByteBuffer.batch("a", producer: .init(id: try newProducer(client), sequence: 0))
        let calls = try (0..<3).map { _ in
            try client.send(SimulatedClient.produceRequest(batch, to: "t"), version: SimulatedClient.produceVersion)
        }
        let offsets = try calls.map { try client.wait(for: $0).topics[0].partitions[0].baseOffset }
        #expect(offsets == [0, 0, 0])
        #expect(try client.consume("t") == ["a"])
    }

    @Test func `any of the last five batches may be repeated, an older one is known to be stored`() throws {
        let (_, client) = try world()
        let id = try newProducer(client)
        let batches = try (0..<6).map { try ByteBuffer.batch("\($0)", producer: .init(id: id, sequence: Int32($0))) }
        for batch in batches { #expect(try client.produce(batch, to: "t").errorCode == .none) }
        let repeated = try batches.map { try client.produce($0, to: "t") }
        #expect(repeated.map(\.errorCode) == [.duplicateSequenceNumber, .none, .none, .none, .none, .none])
        #expect(repeated.map(\.baseOffset) == [-1, 1, 2, 3, 4, 5])
        #expect(try client.consume("t") == ["0", "1", "2", "3", "4", "5"])
    }

    @Test func `a gap is refused until it is filled, for good when nobody fills it`() throws {
        let (world, client) = try world()
        let id = try newProducer(client)
        func produce(_ value: String, at sequence: Int32) throws -> ErrorCode {
            try client.produce(.batch(value, producer: .init(id: id, sequence: sequence)), to: "t").errorCode
        }
        #expect(try produce("a", at: 0) == .none)
        // Clients answer OUT_OF_ORDER_SEQUENCE_NUMBER by numbering anew; what this one asks of them is to repeat.
        #expect(try produce("c", at: 2) == .notLeaderOrFollower)
        #expect(try produce("b", at: 1) == .none)
        #expect(try produce("c", at: 2) == .none)
        let overlapping = try ByteBuffer.batch("c", "d", producer: .init(id: id, sequence: 2))
        #expect(try client.produce(overlapping, to: "t").errorCode == .outOfOrderSequenceNumber, "no gap")
        world.run(for: .seconds(100))
        #expect(try produce("d", at: 3) == .none)
        #expect(try produce("f", at: 5) == .notLeaderOrFollower, "the producer was heard a moment ago")
        world.run(for: .seconds(100))
        #expect(try produce("f", at: 5) == .outOfOrderSequenceNumber)
        #expect(try client.consume("t") == ["a", "b", "c", "d"])
    }

    @Test func `a newer epoch begins at 0, and the older one is fenced from then on`() throws {
        let (_, client) = try world()
        let id = try newProducer(client)
        func produce(_ value: String, epoch: Int16, at sequence: Int32) throws -> ErrorCode {
            try client.produce(
                .batch(value, producer: .init(id: id, epoch: epoch, sequence: sequence)), to: "t"
            ).errorCode
        }
        #expect(try produce("a", epoch: 0, at: 0) == .none)
        #expect(try produce("x", epoch: 1, at: 1) == .notLeaderOrFollower)
        #expect(try produce("b", epoch: 1, at: 0) == .none)
        #expect(try produce("y", epoch: 0, at: 1) == .invalidProducerEpoch)
        #expect(try client.consume("t") == ["a", "b"])
    }

    @Test func `a producer that the partition does not know begins at 0`() throws {
        let (world, client) = try world()
        let id = try newProducer(client)
        let later = try ByteBuffer.batch("later", producer: .init(id: id, sequence: 1))
        #expect(try client.produce(later, to: "t").errorCode == .notLeaderOrFollower)
        world.run(for: .seconds(100))
        #expect(try client.produce(later, to: "t").errorCode == .outOfOrderSequenceNumber)
        #expect(try client.produce(.batch("first", producer: .init(id: id, sequence: 0)), to: "t").errorCode == .none)
        #expect(try client.produce(later, to: "t").baseOffset == 1)
    }

    @Test func `producers and partitions do not mix`() throws {
        let (_, client) = try world()
        let ids = try [newProducer(client), newProducer(client)]
        for id in ids {
            for partition: Int32 in 0...1 {
                let batch = try ByteBuffer.batch("\(id)/\(partition)", producer: .init(id: id, sequence: 0))
                #expect(try client.produce(batch, to: "t", partition: partition).errorCode == .none)
            }
        }
        #expect(try client.consume("t", partition: 0) == ids.map { "\($0)/0" })
        #expect(try client.consume("t", partition: 1) == ids.map { "\($0)/1" })
    }

    // MARK: Across leaders and restarts

    @Test func `a batch repeated to the next leader is recognised`() throws {
        let (world, client) = try world(brokers: 3)
        let batch = try ByteBuffer.batch("a", producer: .init(id: try newProducer(client), sequence: 0))
        try client.produce(.batch("before"), to: "t")
        #expect(try client.produce(batch, to: "t").baseOffset == 1)
        let leader = try #require(world.leader())
        world.kill(leader)
        let successor = world.client(of: try world.runUntilNewLeader(after: leader))
        let repeated = try successor.produce(batch, to: "t")
        #expect(repeated.errorCode == .none)
        #expect(repeated.baseOffset == 1)
        #expect(try successor.consume("t") == ["before", "a"])
    }

    @Test func `a batch repeated after a restart is recognised`() throws {
        let (world, client) = try world()
        let batch = try ByteBuffer.batch("a", producer: .init(id: try newProducer(client), sequence: 0))
        try client.produce(batch, to: "t")
        world.kill(world.brokers[0])
        try world.start(world.brokers[0])
        try world.runUntilReady()
        let second = world.client(of: world.brokers[0])
        #expect(try second.produce(batch, to: "t").baseOffset == 0)
        #expect(try second.consume("t") == ["a"])
    }

    @Test func `a retry whose first try was lost with its leader is stored once`() throws {
        let (world, client) = try world(brokers: 3)
        let batch = try ByteBuffer.batch("a", producer: .init(id: try newProducer(client), sequence: 0))
        let leader = try #require(world.leader())
        // The batch reaches the others, the leader dies before it hears of it.
        let call = try client.send(
            SimulatedClient.produceRequest(batch, to: "t"), version: SimulatedClient.produceVersion)
        world.run(for: .microseconds(250))
        world.kill(leader)
        #expect(!call.isAnswered)
        let successor = world.client(of: try world.runUntilNewLeader(after: leader))
        #expect(try successor.produce(batch, to: "t").errorCode == .none)
        #expect(try successor.consume("t") == ["a"])
    }
}
