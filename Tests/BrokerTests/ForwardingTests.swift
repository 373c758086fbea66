import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

/// Requests that only the metadata leader can carry out, sent to the others.
@Suite struct ForwardingTests {
    private func world() throws -> (World, leader: SimulatedBroker, follower: SimulatedBroker) {
        let world = try World.ready(brokers: 3)
        let leader = try #require(world.leader())
        return (world, leader, try #require(world.brokers.first { $0 !== leader }))
    }

    private static func create(_ name: String) -> CreateTopicsRequest {
        CreateTopicsRequest { request in
            request.topics = [
                CreateTopicsRequest.Topic {
                    $0.name = name
                    $0.numPartitions = 1
                    $0.replicationFactor = -1
                }
            ]
        }
    }

    @Test func `a follower has topics created, grown and deleted by the leader`() throws {
        let (world, leader, follower) = try world()
        let client = world.client(of: follower)
        #expect(try client.call(Self.create("t")).topics.map(\.errorCode) == [.none])
        #expect(leader.broker.metadata.topic(named: "t") != nil)
        let grow = CreatePartitionsRequest {
            $0.topics = [
                .init {
                    $0.name = "t"
                    $0.count = 4
                }
            ]
        }
        #expect(try client.call(grow).topics.map(\.errorCode) == [.none])
        #expect(leader.broker.metadata.topic(named: "t")?.partitionCount == 4)
        let delete = DeleteTopicsRequest { $0.topics = [.init { $0.name = "t" }] }
        #expect(try client.call(delete).topics.map(\.errorCode) == [.none])
        #expect(leader.broker.metadata.topic(named: "t") == nil)
    }

    @Test(arguments: CreateTopicsRequest.versions)
    func `an answer is passed back in the version that the client asked in`(version: Int16) throws {
        let (world, _, follower) = try world()
        let answer = try world.client(of: follower).call(Self.create("t"), version: version)
        #expect(answer.topics.map(\.name) == ["t"])
        #expect(answer.topics.map(\.errorCode) == [.none])
    }

    @Test func `answers keep their order among those that were not passed on`() throws {
        let (world, _, follower) = try world()
        let client = world.client(of: follower)
        _ = try client.send(Self.create("t"))
        _ = try client.send(MetadataRequest { $0.topics = [] })
        _ = try client.send(Self.create("u"))
        world.run(for: .seconds(1))
        #expect(client.answered == [1, 2, 3])
    }

    @Test func `a leader that cannot be reached is no controller`() throws {
        let (world, leader, follower) = try world()
        let client = world.client(of: follower)
        let call = try client.send(Self.create("t"))
        world.setConnected(leader, false)
        let answer = try client.wait(for: call)
        #expect(answer.topics.map(\.errorCode) == [.notController])
    }

    @Test func `while there is no leader every such request is refused so that it is tried again`() throws {
        let (world, _, follower) = try world()
        for broker in world.brokers { world.setConnected(broker, false) }
        world.run(for: .seconds(3))
        let client = world.client(of: follower)
        #expect(try client.call(Self.create("t")).topics.map(\.errorCode) == [.notController])
        let grow = CreatePartitionsRequest {
            $0.topics = [
                .init {
                    $0.name = "t"
                    $0.count = 4
                }
            ]
        }
        #expect(try client.call(grow).topics.map(\.errorCode) == [.notController])
        let delete = DeleteTopicsRequest { $0.topics = [.init { $0.name = "t" }] }
        #expect(try client.call(delete).topics.map(\.errorCode) == [.notController])
        #expect(try client.call(InitProducerIDRequest()).errorCode == .coordinatorLoadInProgress)
    }

    @Test func `a request that was passed on once is not passed on again`() throws {
        let (world, leader, follower) = try world()
        let other = try #require(world.brokers.first { $0 !== leader && $0 !== follower })
        // A peer with old knowledge takes the follower for the leader.
        let frame = try WireFrame(Self.create("t"), version: 7, correlationID: 9, clientID: nil).withoutLength
        var answer: ByteBuffer??
        follower.read { $0.receiveForwarded(frame) { answer = $0 } }
        var body = try #require(answer ?? nil)
        let header = try ResponseHeader(from: &body, answering: CreateTopicsRequest.self, version: 7)
        #expect(header.correlationID == 9)
        let response = try CreateTopicsResponse(decoding: body, version: 7)
        #expect(response.topics.map(\.errorCode) == [.notController])
        #expect(other.isUp)
    }

    @Test func `what a peer passes on and nobody can read is not carried out`() throws {
        let (_, leader, _) = try world()
        var answers: [ByteBuffer?] = []
        leader.read { broker in
            broker.receiveForwarded(ByteBuffer(repeating: 0xFF, count: 20)) { answers.append($0) }
            broker.receiveForwarded(ByteBuffer()) { answers.append($0) }
        }
        #expect(answers.count == 2)
        #expect(answers.allSatisfy { $0 == nil })
    }
}
