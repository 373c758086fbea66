import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

/// Members of groups at whole brokers, by the requests they send.
@Suite struct MembershipTests {
    private static func world(_ count: Int = 1) throws -> (World, SimulatedClient) {
        let world = try World.ready(brokers: count) { $0.groups.initialRebalanceDelay = 0 }
        let leader = try #require(world.leader())
        return (world, world.client(of: leader))
    }

    @Test(arguments: 0...9 as ClosedRange<Int16>)
    func `a member joins, syncs, beats and leaves, in every version`(version: Int16) throws {
        let (world, client) = try Self.world()
        let joined = try client.join("g", version: version)
        #expect(joined.errorCode == .none)
        #expect(joined.generationID == 1)
        #expect(joined.protocolName == "range")
        #expect(joined.leader == joined.memberID)
        #expect(joined.memberID.hasPrefix("test-"))
        #expect(joined.members.map(\.memberID) == [joined.memberID])
        #expect(joined.members.first?.metadata == .subscription(to: ["t"]))
        let sync = SimulatedClient.syncRequest("g", joined, [joined.memberID: "mine"])
        let synced = try client.call(sync, version: min(version, 4))
        #expect(synced.errorCode == .none)
        #expect(synced.assignment == ByteBuffer(string: "mine"))
        #expect(try client.heartbeat("g", joined) == .none)
        world.run(for: .seconds(9))
        #expect(try client.heartbeat("g", joined) == .none)
        let leave = LeaveGroupRequest {
            $0.groupID = "g"
            $0.memberID = joined.memberID
            $0.members = [LeaveGroupRequest.Member { $0.memberID = joined.memberID }]
        }
        #expect(try client.call(leave, version: min(version, 5)).errorCode == .none)
        #expect(try client.heartbeat("g", joined) == .unknownMemberID)
    }

    @Test func `a second member makes the group rebalance, and both get their part`() throws {
        let (world, first) = try Self.world()
        let old = try first.becomeOnlyMember(of: "g")
        let second = world.client(of: first.broker)
        let id = try second.call(SimulatedClient.joinRequest("g"))
        #expect(id.errorCode == .memberIDRequired)
        let joining = try second.send(SimulatedClient.joinRequest("g", memberID: id.memberID))
        world.run(for: .milliseconds(200))
        #expect(!joining.isAnswered)
        #expect(try first.heartbeat("g", old) == .rebalanceInProgress)
        let leader = try first.join("g", memberID: old.memberID)
        let follower = try second.wait(for: joining)
        #expect(leader.generationID == 2 && follower.generationID == 2)
        #expect(follower.leader == leader.memberID)
        #expect(leader.members.count == 2)
        #expect(follower.members.isEmpty)
        let waiting = try second.send(SimulatedClient.syncRequest("g", follower))
        world.run(for: .milliseconds(200))
        #expect(!waiting.isAnswered, "the leader has not assigned yet")
        let assignments = [leader.memberID: "0", follower.memberID: "1"]
        #expect(
            try first.call(SimulatedClient.syncRequest("g", leader, assignments)).assignment
                == ByteBuffer(string: "0"))
        #expect(try second.wait(for: waiting).assignment == ByteBuffer(string: "1"))
    }

    @Test func `who holds up a rebalance is named, with for how long`() throws {
        let (world, first) = try Self.world()
        let old = try first.becomeOnlyMember(of: "g")
        let second = world.client(of: first.broker), third = world.client(of: first.broker)
        func note() throws -> String? {
            let request = DescribeGroupsRequest { $0.groups = ["g"] }
            let described = try #require(try third.call(request).groups.first)
            #expect(described.errorCode == .none)
            return described.errorMessage
        }
        #expect(try note() == nil)
        let id = try second.call(SimulatedClient.joinRequest("g")).memberID
        let joining = try second.send(SimulatedClient.joinRequest("g", memberID: id))
        world.run(for: .milliseconds(3_500))
        #expect(try note() == "held up for 3 s by \(old.memberID) (client test), who must join again")
        let leader = try first.join("g", memberID: old.memberID)
        _ = try second.wait(for: joining)
        world.run(for: .milliseconds(2_500))
        #expect(try note() == "held up for 2 s by \(leader.memberID) (client test), who must send the assignment")
        _ = try first.call(SimulatedClient.syncRequest("g", leader, [leader.memberID: "0", id: "1"]))
        #expect(try note() == nil)
    }

    @Test func `a member that is silent is removed after its session`() throws {
        let (world, client) = try Self.world()
        let joined = try client.becomeOnlyMember(of: "g")
        world.run(for: .milliseconds(9_500))
        #expect(client.broker.read { $0.shards[0].machine.groups["g"]?.hasMembers } == true)
        world.run(for: .seconds(1))
        #expect(client.broker.read { $0.shards[0].machine.groups["g"]?.hasMembers } == false)
        #expect(try client.heartbeat("g", joined) == .unknownMemberID)
    }

    @Test func `one that leaves in the middle of a rebalance does not hold it up`() throws {
        let (world, first) = try Self.world()
        let old = try first.becomeOnlyMember(of: "g")
        let second = world.client(of: first.broker)
        let id = try second.call(SimulatedClient.joinRequest("g")).memberID
        let joining = try second.send(SimulatedClient.joinRequest("g", memberID: id))
        world.run(for: .milliseconds(200))
        let leave = LeaveGroupRequest {
            $0.groupID = "g"
            $0.members = [LeaveGroupRequest.Member { $0.memberID = old.memberID }]
        }
        #expect(try first.call(leave).members.map(\.errorCode) == [.none])
        world.run(for: .milliseconds(200))
        #expect(joining.isAnswered, "nobody else is expected")
    }

    @Test func `requests that do not fit are refused`() throws {
        let (_, client) = try Self.world()
        func code(_ request: JoinGroupRequest) throws -> ErrorCode { try client.call(request).errorCode }
        #expect(try code(SimulatedClient.joinRequest("")) == .invalidGroupID)
        #expect(try code(SimulatedClient.joinRequest("g", sessionTimeout: 5_999)) == .invalidSessionTimeout)
        #expect(try code(SimulatedClient.joinRequest("g", sessionTimeout: 1_800_001)) == .invalidSessionTimeout)
        #expect(try code(SimulatedClient.joinRequest("g", protocols: [])) == .inconsistentGroupProtocol)
        #expect(try code(SimulatedClient.joinRequest("g", memberID: "nobody")) == .unknownMemberID)
        var large = SimulatedClient.joinRequest("g")
        large.protocols[0].metadata = ByteBuffer(repeating: 0, count: 1.mebibytes + 1)
        #expect(try code(large) == .messageTooLarge)
        let joined = try client.becomeOnlyMember(of: "g")
        var sync = SimulatedClient.syncRequest("g", joined)
        sync.protocolName = "other"
        #expect(try client.call(sync).errorCode == .inconsistentGroupProtocol)
        sync.protocolName = nil
        #expect(try client.call(sync).errorCode == .inconsistentGroupProtocol)
        var stale = joined
        stale.generationID -= 1
        #expect(try client.heartbeat("g", stale) == .illegalGeneration)
        #expect(try client.call(SimulatedClient.syncRequest("g", stale)).errorCode == .illegalGeneration)
    }

    @Test func `a static member comes back without a rebalance and its former self is fenced`() throws {
        let (world, client) = try Self.world()
        let old = try client.becomeOnlyMember(of: "g", instanceID: "i")
        let again = world.client(of: client.broker)
        let new = try again.call(SimulatedClient.joinRequest("g", instanceID: "i"))
        #expect(new.errorCode == .none)
        #expect(new.generationID == old.generationID)
        #expect(new.memberID != old.memberID && new.memberID.hasPrefix("i-"))
        #expect(new.leader == new.memberID && new.skipAssignment && new.members.count == 1)
        let synced = try again.call(SimulatedClient.syncRequest("g", new, instanceID: "i"))
        #expect(synced.assignment == ByteBuffer(string: "all"))
        #expect(try client.heartbeat("g", old, instanceID: "i") == .fencedInstanceID)
        #expect(try again.heartbeat("g", new, instanceID: "i") == .none)
    }

    @Test func `a client that does not know how to skip the assignment is told of another leader`() throws {
        let (world, client) = try Self.world()
        let old = try client.becomeOnlyMember(of: "g", instanceID: "i")
        let new = try world.client(of: client.broker)
            .call(SimulatedClient.joinRequest("g", instanceID: "i"), version: 8)
        #expect(new.generationID == old.generationID)
        #expect(new.leader == old.memberID)
        #expect(new.members.isEmpty && !new.skipAssignment)
    }

    @Test func `members leave together, each with its own result, by id or by instance`() throws {
        let (_, client) = try Self.world()
        let joined = try client.becomeOnlyMember(of: "g", instanceID: "i")
        let request = LeaveGroupRequest { request in
            request.groupID = "g"
            request.members = [("x", nil), ("x", "i"), ("", "j"), ("", "i")].map { id, instance in
                LeaveGroupRequest.Member {
                    $0.memberID = id
                    $0.groupInstanceID = instance
                }
            }
        }
        let answer = try client.call(request)
        #expect(answer.errorCode == .none)
        #expect(answer.members.map(\.errorCode) == [.unknownMemberID, .fencedInstanceID, .unknownMemberID, .none])
        #expect(try client.heartbeat("g", joined, instanceID: "i") == .unknownMemberID)
    }

    @Test func `a join whose metadata needs several log entries is one join`() throws {
        let (_, client) = try Self.world()
        let topics = (0..<9_000).map { "topic-with-a-long-name-\($0)" }
        let id = try client.call(SimulatedClient.joinRequest("g", topics: topics)).memberID
        let joined = try client.call(SimulatedClient.joinRequest("g", memberID: id, topics: topics))
        #expect(joined.errorCode == .none)
        #expect(joined.members.first?.metadata == .subscription(to: topics))
    }

    // MARK: Changes of the leader

    @Test func `a member that waits when the leader goes finds its group at the next`() throws {
        let (world, first) = try Self.world(3)
        let old = try first.becomeOnlyMember(of: "g")
        let second = world.client(of: first.broker)
        let id = try second.call(SimulatedClient.joinRequest("g")).memberID
        let joining = try second.send(SimulatedClient.joinRequest("g", memberID: id))
        world.run(for: .milliseconds(300))
        #expect(!joining.isAnswered)
        let former = first.broker
        world.setConnected(former, false)
        let leader = try world.runUntilNewLeader(after: former)
        world.run(for: .seconds(2))
        #expect(try second.wait(for: joining).errorCode == .notCoordinator)
        #expect(try first.heartbeat("g", old) == .notCoordinator)

        // Both are members there, one of them about to rejoin.
        let third = world.client(of: leader), fourth = world.client(of: leader)
        #expect(try third.heartbeat("g", old) == .rebalanceInProgress)
        let rejoining = try fourth.send(SimulatedClient.joinRequest("g", memberID: id))
        let rejoined = try third.join("g", memberID: old.memberID)
        let other = try fourth.wait(for: rejoining)
        #expect(rejoined.generationID == 2 && other.generationID == 2)
        let assigning = rejoined.leader == rejoined.memberID ? (third, rejoined) : (fourth, other)
        let assignments = [old.memberID: "0", id: "1"]
        let sync = SimulatedClient.syncRequest("g", assigning.1, assignments)
        #expect(try assigning.0.call(sync).errorCode == .none)
        world.setConnected(former, true)
        world.run(for: .seconds(2))
        let digests = Set(world.brokers.map { broker in broker.read { $0.stateDigest(of: .metadata) } })
        #expect(digests.count == 1, "all replicas hold the same groups")
    }

    @Test func `a new leader gives every member a fresh session, and ends those that stay silent`() throws {
        let (world, client) = try Self.world(3)
        let joined = try client.becomeOnlyMember(of: "g")
        world.run(for: .seconds(8))
        world.kill(client.broker)
        let leader = try world.runUntilNewLeader(after: client.broker)
        let next = world.client(of: leader)
        world.run(for: .seconds(6))
        #expect(try next.heartbeat("g", joined) == .none)
        world.run(for: .seconds(11))
        #expect(try next.heartbeat("g", joined) == .unknownMemberID)
    }

    @Test func `another broker says that it is not the coordinator`() throws {
        let (world, _) = try Self.world(3)
        let other = try #require(world.brokers.first { $0 !== world.leader() })
        let client = world.client(of: other)
        #expect(try client.call(SimulatedClient.joinRequest("g")).errorCode == .notCoordinator)
        #expect(try client.call(HeartbeatRequest { $0.groupID = "g" }).errorCode == .notCoordinator)
        #expect(try client.call(DescribeGroupsRequest { $0.groups = ["g"] }).groups[0].errorCode == .notCoordinator)
        #expect(try client.call(DeleteGroupsRequest { $0.groupsNames = ["g"] }).results[0].errorCode == .notCoordinator)
        #expect(try client.call(LeaveGroupRequest { $0.groupID = "g" }).errorCode == .notCoordinator)
        #expect(try client.call(ListGroupsRequest()).groups.isEmpty)
        #expect(try client.commit("g", 1) == .notCoordinator || client.commit("g", 1) == .unknownTopicOrPartition)
    }
}
