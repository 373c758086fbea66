import Basics
import KafkaWire
import NIOCore
import Raft
import Testing

@testable import Broker

/// Members of the new protocol at whole brokers, by the requests they send.
@Suite struct ConsumerGroupRequestTests {
    private typealias Heartbeat = ConsumerGroupHeartbeatRequest

    private static func world(
        _ count: Int = 1, migration: GroupMigrationPolicy = .bidirectional
    ) throws -> (World, SimulatedClient) {
        let world = try World.ready(brokers: count) {
            $0.groups.consumerSessionTimeout = 20_000
            $0.groups.initialRebalanceDelay = 0
            $0.groups.migration = migration
        }
        let client = world.client(of: try #require(world.leader()))
        try client.createTopic("t1", partitions: 4)
        return (world, client)
    }

    private static func join(
        _ member: String, topics: [String]? = ["t1"], regex: String? = nil, _ set: (inout Heartbeat) -> Void = { _ in }
    ) -> Heartbeat {
        Heartbeat {
            $0.groupID = "g"
            $0.memberID = member
            $0.rebalanceTimeoutMs = 30_000
            $0.subscribedTopicNames = topics
            $0.subscribedTopicRegex = regex
            $0.topicPartitions = []
            set(&$0)
        }
    }

    private static func beat(_ member: String, _ epoch: Int32, owned: [TopicPartitions]? = nil) -> Heartbeat {
        Heartbeat {
            $0.groupID = "g"
            $0.memberID = member
            $0.memberEpoch = epoch
            $0.topicPartitions = owned
        }
    }

    private static func count(_ response: ConsumerGroupHeartbeatResponse) -> Int? {
        response.assignment?.topicPartitions.reduce(0) { $0 + $1.partitions.count }
    }

    private static func lastIndex(_ client: SimulatedClient) -> UInt64? {
        client.broker.read { $0.shards[0].node.lastIndex.rawValue }
    }

    @Test func `a member joins, is told what it has, and leaves; in between nothing is written`() throws {
        let (_, client) = try Self.world()
        let joined = try client.call(Self.join("a"))
        #expect(joined.errorCode == .none && joined.memberEpoch == 1 && joined.memberID == "a")
        #expect(joined.heartbeatIntervalMs == 5_000 && Self.count(joined) == 4)
        let index = Self.lastIndex(client)
        for _ in 0..<3 {
            let beat = try client.call(Self.beat("a", 1))
            #expect(beat.errorCode == .none && beat.memberEpoch == 1 && beat.assignment == nil)
        }
        let full = Self.join("a") { $0.memberEpoch = 1 }
        #expect(Self.count(try client.call(full)) == 4)
        #expect(Self.lastIndex(client) == index, "heartbeats that change nothing are no entries")
        let left = try client.call(Self.beat("a", -1))
        #expect(left.errorCode == .none && left.memberEpoch == -1)
        #expect(try client.call(Self.beat("a", 1)).errorCode == .unknownMemberID)
    }

    @Test func `two members move a partition step by step, in a hurry`() throws {
        let (world, first) = try Self.world()
        let second = world.client(of: first.broker)
        let had = try #require(try first.call(Self.join("a")).assignment?.topicPartitions)
        let joined = try second.call(Self.join("b"))
        #expect(Self.count(joined) == 0 && joined.heartbeatIntervalMs == 500)
        let asked = try first.call(Self.beat("a", 1))
        #expect(Self.count(asked) == 2 && asked.heartbeatIntervalMs == 500)
        #expect(try first.call(Self.beat("a", asked.memberEpoch, owned: had)).heartbeatIntervalMs == 500)
        #expect(try second.call(Self.beat("b", joined.memberEpoch)).assignment == nil)
        let kept = try #require(asked.assignment?.topicPartitions)
        #expect(try first.call(Self.beat("a", asked.memberEpoch, owned: kept)).heartbeatIntervalMs == 5_000)
        let given = try second.call(Self.beat("b", joined.memberEpoch))
        #expect(Self.count(given) == 2 && given.heartbeatIntervalMs == 5_000)
    }

    @Test func `who does not give up partitions is named, with how long others have waited`() throws {
        let (world, first) = try Self.world()
        let second = world.client(of: first.broker)
        _ = try first.call(Self.join("a"))
        func note() throws -> String? {
            let described = try #require(
                try second.call(ConsumerGroupDescribeRequest { $0.groupIDs = ["g"] }).groups.first)
            #expect(described.errorCode == .none)
            return described.errorMessage
        }
        #expect(try note() == nil)
        _ = try second.call(Self.join("b"))
        let asked = try first.call(Self.beat("a", 1))
        world.run(for: .seconds(7))
        #expect(try note() == "held up for 7 s by a (client test), who must give up partitions")
        let kept = try #require(asked.assignment?.topicPartitions)
        _ = try first.call(Self.beat("a", asked.memberEpoch, owned: kept))
        #expect(try note() == nil)
    }

    @Test func `version 0 gives a member its id`() throws {
        let (_, client) = try Self.world()
        let joined = try client.call(Self.join(""), version: 0)
        #expect(joined.errorCode == .none && joined.memberID?.count == 22)
        #expect(try client.call(Self.join("")).errorCode == .invalidRequest)
    }

    @Test func `what a request must not say is refused`() throws {
        let (_, client) = try Self.world()
        let bad: [(ErrorCode, Heartbeat)] = [
            (.invalidRequest, Self.join("a") { $0.groupID = "" }),
            (.invalidRequest, Self.join("a") { $0.memberEpoch = -3 }),
            (.invalidRequest, Self.join("a") { $0.rebalanceTimeoutMs = -1 }),
            (.invalidRequest, Self.join("a") { $0.topicPartitions = nil }),
            (.invalidRequest, Self.join("a") { $0.topicPartitions = [TopicPartitions { $0.partitions = [1] }] }),
            (.invalidRequest, Self.join("a", topics: nil)),
            (.invalidRequest, Self.join("a") { $0.instanceID = "" }),
            (.invalidRequest, Self.beat("a", -2)),
            (.unsupportedAssignor, Self.join("a") { $0.serverAssignor = "sticky" }),
            (.invalidRegularExpression, Self.join("a", topics: nil, regex: "t(")),
            (.unknownMemberID, Self.beat("a", 1)),
            (.unknownMemberID, Self.beat("a", -1)),
        ]
        for (code, request) in bad {
            let answer = try client.call(request)
            #expect(answer.errorCode == code, "\(request)")
            #expect(answer.errorMessage?.isEmpty == false)
        }
        #expect(client.broker.read { $0.shards[0].machine.groups["g"] == nil } == true)
    }

    @Test func `a silent member is expired after its session, one that keeps what it must give up after its time`()
        throws
    {
        let (world, client) = try Self.world()
        _ = try client.call(Self.join("a"))
        _ = try client.call(Self.join("b"))
        let asked = try client.call(Self.beat("a", 1))
        for _ in 0..<3 {
            world.run(for: .seconds(9))
            #expect(try client.call(Self.beat("a", asked.memberEpoch)).errorCode == .none)
        }
        #expect(try client.call(Self.beat("b", 2)).errorCode == .unknownMemberID, "b was silent for 27 s")
        world.run(for: .seconds(4))
        #expect(try client.call(Self.beat("a", asked.memberEpoch)).errorCode == .unknownMemberID, "30 s to give up")
        let again = try client.call(Self.join("a"))
        #expect(Self.count(again) == 4 && again.memberEpoch > asked.memberEpoch)
    }

    @Test func `a pattern finds topics that come, and loses those that go`() throws {
        let (world, client) = try Self.world()
        #expect(Self.count(try client.call(Self.join("a", topics: nil, regex: "t[0-9]"))) == 4)
        let id = try client.createTopic("t2", partitions: 3).topicID
        try client.createTopic("other")
        world.run(for: .seconds(1))
        #expect(Self.count(try client.call(Self.beat("a", 1))) == 7)
        let delete = DeleteTopicsRequest { $0.topics = [DeleteTopicsRequest.Topic { $0.topicID = id }] }
        #expect(try client.call(delete, version: 6).topics.first?.errorCode == ErrorCode.none)
        world.run(for: .seconds(1))
        #expect(Self.count(try client.call(Self.beat("a", 2))) == 4)
    }

    @Test func `members outlive their coordinator, and get a fresh session from the next`() throws {
        let (world, client) = try Self.world(3)
        #expect(try client.call(Self.join("a")).errorCode == .none)
        let old = client.broker
        let follower = try #require(world.brokers.first { $0 !== old })
        let elsewhere = try world.client(of: follower).call(Self.beat("a", 1))
        #expect(elsewhere.errorCode == .notCoordinator)
        world.run(for: .seconds(15))
        world.kill(old)
        let new = world.client(of: try world.runUntilNewLeader(after: old))
        world.run(for: .seconds(15))
        // 30 s of silence, more than a session, but not at this coordinator.
        let beat = try new.call(Self.beat("a", 1))
        #expect(beat.errorCode == .none && beat.memberEpoch == 1)
        world.run(for: .seconds(21))
        #expect(try new.call(Self.beat("a", 1)).errorCode == .unknownMemberID)
    }

    @Test func `offsets are committed and fetched under the member's epoch`() throws {
        let (_, client) = try Self.world()
        _ = try client.call(Self.join("a"))
        func commit(_ member: String, _ epoch: Int32) throws -> ErrorCode? {
            let request = OffsetCommitRequest { request in
                request.groupID = "g"
                request.memberID = member
                request.generationIDOrMemberEpoch = epoch
                request.topics = [
                    OffsetCommitRequest.Topic {
                        $0.name = "t1"
                        $0.partitions = [OffsetCommitRequest.Partition { $0.committedOffset = 7 }]
                    }
                ]
            }
            return try client.call(request, version: 9).topics.first?.partitions.first?.errorCode
        }
        #expect(try commit("a", 1) == ErrorCode.none)
        #expect(try commit("a", 2) == .staleMemberEpoch)
        #expect(try commit("z", 1) == .unknownMemberID)

        func fetch(_ member: String?, _ epoch: Int32) throws -> OffsetFetchResponse.Group? {
            let request = OffsetFetchRequest { request in
                request.groups = [
                    OffsetFetchRequest.Group {
                        $0.groupID = "g"
                        $0.memberID = member
                        $0.memberEpoch = epoch
                        $0.topics = nil
                    }
                ]
            }
            return try client.call(request, version: 9).groups.first
        }
        #expect(try fetch("a", 1)?.topics.first?.partitions.first?.committedOffset == 7)
        #expect(try fetch(nil, -1)?.errorCode == ErrorCode.none)
        #expect(try fetch("a", 9)?.errorCode == .staleMemberEpoch)
        #expect(try fetch("z", 1)?.errorCode == .unknownMemberID)
    }

    @Test func `tools list and describe the group, the old description does not know it`() throws {
        let (_, client) = try Self.world()
        _ = try client.call(Self.join("a") { $0.instanceID = "i" })
        let listed = try client.call(ListGroupsRequest { $0.typesFilter = ["consumer"] }).groups
        #expect(listed.map(\.groupID) == ["g"] && listed.first?.groupType == "consumer")
        #expect(listed.first?.groupState == "Stable" && listed.first?.protocolType == "consumer")
        #expect(try client.call(ListGroupsRequest { $0.typesFilter = ["classic"] }).groups.isEmpty)

        let described = try client.call(ConsumerGroupDescribeRequest { $0.groupIDs = ["g", "none"] }).groups
        let group = try #require(described.first), member = try #require(group.members.first)
        #expect(group.groupState == "Stable" && group.groupEpoch == 1 && group.assignmentEpoch == 1)
        #expect(group.assignorName == "uniform" && member.memberID == "a" && member.instanceID == "i")
        #expect(member.clientID == "test" && member.subscribedTopicNames == ["t1"] && member.memberType == 1)
        #expect(member.assignment == member.targetAssignment)
        #expect(member.assignment.topicPartitions.first?.topicName == "t1")
        #expect(member.assignment.topicPartitions.first?.partitions == [0, 1, 2, 3])
        #expect(described.last?.errorCode == .groupIDNotFound)

        let old = try client.call(DescribeGroupsRequest { $0.groups = ["g"] }).groups.first
        #expect(old?.errorCode == .groupIDNotFound && old?.groupState == "Dead")
    }

    @Test func `without migration a group has one protocol while it has members`() throws {
        let (_, client) = try Self.world(migration: .disabled)
        _ = try client.call(Self.join("a"))
        #expect(try client.call(SimulatedClient.joinRequest("g")).errorCode == .inconsistentGroupProtocol)
        _ = try client.call(Self.beat("a", -1))
        let joined = try client.join("g")
        #expect(joined.errorCode == .none)
        #expect(try client.call(Self.join("b")).errorCode == .groupIDNotFound)
    }

    @Test func `who joins a classic group that was empty a moment ago is asked to try again`() throws {
        let (_, client) = try Self.world()
        let named = try client.call(SimulatedClient.joinRequest("g"))
        // Both are on their way into the log before either is applied.
        let classic = try client.send(SimulatedClient.joinRequest("g", memberID: named.memberID))
        let joined = try client.send(Self.join("a"))
        #expect(try client.wait(for: joined).errorCode == .coordinatorLoadInProgress)
        #expect(try client.wait(for: classic).errorCode == .none)
    }

    @Test func `a classic member has its share beside one of the new protocol, and leads when that has left`() throws {
        let (world, client) = try Self.world()
        #expect(Self.count(try client.call(Self.join("a"))) == 4)
        let required = try client.call(SimulatedClient.joinRequest("g", topics: ["t1"]))
        #expect(required.errorCode == .memberIDRequired)
        let request = SimulatedClient.joinRequest("g", memberID: required.memberID, topics: ["t1"])
        let joined = try client.call(request)
        #expect(joined.errorCode == .none && joined.leader.isEmpty && joined.protocolName == "range")
        let synced = try client.call(SimulatedClient.syncRequest("g", joined))
        #expect(synced.errorCode == .none && ConsumerAssignment(synced.assignment)?.partitions == [])
        #expect(try client.heartbeat("g", joined) == .none)

        let told = try client.call(Self.beat("a", 1))
        #expect(Self.count(told) == 2)
        let kept = try #require(told.assignment).topicPartitions
        _ = try client.call(Self.beat("a", told.memberEpoch, owned: kept))
        #expect(try client.heartbeat("g", joined) == .rebalanceInProgress)
        let again = try client.call(request)
        let share = try client.call(SimulatedClient.syncRequest("g", again))
        #expect(ConsumerAssignment(share.assignment)?.partitions.count == 2)
        #expect(try client.heartbeat("g", joined) == .illegalGeneration)
        #expect(try client.commit("g", 3, topic: "t1", as: again) == ErrorCode.none)
        let described = try client.call(ConsumerGroupDescribeRequest { $0.groupIDs = ["g"] }).groups.first
        #expect(described?.members.map(\.memberType).sorted() == [0, 1])

        _ = try client.call(Self.beat("a", -1))
        world.run(for: .milliseconds(200))
        #expect(try client.heartbeat("g", again) == .rebalanceInProgress)
        #expect(try client.commit("g", 4, topic: "t1", as: again) == ErrorCode.none)
        let alone = try client.call(request)
        #expect(alone.leader == alone.memberID && alone.generationID > again.generationID)
    }

    @Test func `a classic group is converted when it does not rebalance`() throws {
        let (_, client) = try Self.world()
        let required = try client.call(SimulatedClient.joinRequest("g", topics: ["t1"]))
        let joined = try client.call(
            SimulatedClient.joinRequest("g", memberID: required.memberID, topics: ["t1"]))
        #expect(try client.call(Self.join("a")).errorCode == .coordinatorLoadInProgress)
        let sync = SimulatedClient.syncRequest("g", joined)
        #expect(try client.call(sync).errorCode == .none)
        let member = try client.call(Self.join("a"))
        #expect(member.errorCode == .none && Self.count(member) == 2)
        // It had assigned nothing to itself, and now there is something for it.
        #expect(try client.heartbeat("g", joined) == .rebalanceInProgress)
    }

    @Test func `a subscription larger than an entry's head goes through in pieces`() throws {
        let (_, client) = try Self.world()
        let names = (0..<2_000).map { "topic-\($0)-" + String(repeating: "x", count: 100) } + ["t1"]
        let joined = try client.call(Self.join("a", topics: names))
        #expect(joined.errorCode == .none && Self.count(joined) == 4)
    }

    @Test func `the protocol is announced as a finalized feature`() throws {
        let (_, client) = try Self.world()
        let request = ApiVersionsRequest {
            $0.clientSoftwareName = "test"
            $0.clientSoftwareVersion = "1"
        }
        let response = try client.call(request)
        #expect(response.finalizedFeaturesEpoch >= 0)
        #expect(response.finalizedFeatures.map(\.name) == ["group.version"])
        #expect(response.finalizedFeatures.first?.maxVersionLevel == 1)
        #expect(response.supportedFeatures.first?.minVersion == 1)
        #expect(response.apis.contains { $0.api == .consumerGroupHeartbeat && $0.maxVersion == 1 })
    }
}
