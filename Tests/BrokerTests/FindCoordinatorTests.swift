import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

@Suite struct FindCoordinatorTests {
    @Test(arguments: 0...3 as ClosedRange<Int16>)
    func `a group's coordinator is the leader of its shard, as every broker says`(version: Int16) throws {
        let world = try World.ready(brokers: 3) { $0.shardCount = 3 }
        for group in ["a", "orders", ""] {
            let shard = Int(GroupID.shard(of: group, among: 3).rawValue)
            let leader = try #require(world.leader(ofShard: shard)).configuration
            for broker in world.brokers {
                let request = FindCoordinatorRequest { $0.key = group }
                let answer = try world.client(of: broker).call(request, version: version)
                #expect(answer.errorCode == .none)
                #expect(answer.nodeID == leader.nodeID.rawValue)
                #expect(answer.host == leader.advertisedHost)
                #expect(answer.port == leader.advertisedPort)
            }
        }
    }

    @Test(arguments: 4...6 as ClosedRange<Int16>)
    func `many keys are answered in one response, in their order`(version: Int16) throws {
        let world = try World.ready(brokers: 3) { $0.shardCount = 3 }
        let groups = (0..<20).map { "group-\($0)" }
        let request = FindCoordinatorRequest { $0.coordinatorKeys = groups }
        let answer = try world.client(of: world.brokers[0]).call(request, version: version)
        #expect(answer.coordinators.map(\.key) == groups)
        #expect(answer.coordinators.allSatisfy { $0.errorCode == .none })
        #expect(Set(answer.coordinators.map(\.nodeID)).count > 1)
    }

    @Test func `while a shard has no leader its groups have no coordinator`() throws {
        let world = try World.ready(brokers: 3)
        let alone = world.brokers[2]
        for other in world.brokers.prefix(2) { world.kill(other) }
        try world.run(until: "no leader") { alone.broker.metadataShard.leader == nil }
        let request = FindCoordinatorRequest { $0.coordinatorKeys = ["g"] }
        let answer = try #require(try world.client(of: alone).call(request).coordinators.first)
        #expect(answer.errorCode == .coordinatorNotAvailable)
        #expect(answer.nodeID == -1)
    }

    @Test func `a client that asks during an election is answered when it is over`() throws {
        let world = try World.ready(brokers: 3)
        let former = try #require(world.leader())
        let other = try #require(world.brokers.first { $0 !== former })
        world.kill(former)
        try world.run(until: "the leader is missed") { other.broker.metadataShard.leader == nil }
        let answer = try world.client(of: other).call(FindCoordinatorRequest { $0.coordinatorKeys = ["g"] })
        #expect(answer.coordinators.first?.errorCode == ErrorCode.none)
        #expect(answer.coordinators.first?.nodeID != former.id.rawValue)
    }

    @Test(arguments: [1, 2, 3, -1] as [Int8])
    func `coordinators that do not exist are refused with a reason`(keyType: Int8) throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        let batch = FindCoordinatorRequest {
            $0.coordinatorKeys = ["k"]
            $0.keyType = keyType
        }
        let answer = try #require(try client.call(batch).coordinators.first)
        #expect(answer.errorCode == .invalidRequest)
        #expect(answer.errorMessage?.isEmpty == false)
        let single = FindCoordinatorRequest {
            $0.key = "k"
            $0.keyType = keyType
        }
        #expect(try client.call(single, version: 2).errorCode == .invalidRequest)
    }

    @Test func `the shard of a group never changes`() {
        #expect(GroupID.shard(of: "", among: 7) == ShardID(UInt16(0xCBF2_9CE4_8422_2325 % 7 as UInt64)))
        #expect(GroupID.shard(of: "a", among: 1_000) == ShardID(UInt16(0xAF63_DC4C_8601_EC8C % 1_000 as UInt64)))
        #expect(GroupID.shard(of: "foobar", among: 1_000) == ShardID(UInt16(0x8594_4171_F739_67E8 % 1_000 as UInt64)))
    }
}
