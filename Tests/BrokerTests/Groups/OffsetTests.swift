import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

/// Committed offsets at whole brokers, and the administration of groups.
@Suite struct OffsetTests {
    private static func world(
        _ count: Int = 1, _ configure: (inout BrokerConfiguration) -> Void = { _ in }
    ) throws -> (World, SimulatedClient) {
        let world = try World.ready(brokers: count) {
            $0.groups.initialRebalanceDelay = 0
            configure(&$0)
        }
        let client = world.client(of: try #require(world.leader()))
        try client.createTopic("t", partitions: 2)
        return (world, client)
    }

    @Test(arguments: 2...9 as ClosedRange<Int16>)
    func `what is committed is fetched`(version: Int16) throws {
        let (_, client) = try Self.world()
        #expect(try client.commit("g", 42, metadata: "note", version: version) == ErrorCode.none)
        let found = try #require(try client.committed("g"))
        #expect(found.committedOffset == 42)
        #expect(found.metadata == "note")
        #expect(found.committedLeaderEpoch == (version >= 6 ? 7 : -1))
    }

    @Test(arguments: 1...7 as ClosedRange<Int16>)
    func `one group's offsets are fetched by partition, or all of them`(version: Int16) throws {
        let (_, client) = try Self.world()
        #expect(try client.commit("g", 5, partition: 1) == ErrorCode.none)
        var request = OffsetFetchRequest { request in
            request.groupID = "g"
            request.topics = ["t", "missing"].map { name in
                OffsetFetchRequest.Topic {
                    $0.name = name
                    $0.partitionIndexes = [0, 1]
                }
            }
        }
        let some = try client.call(request, version: version)
        #expect(some.errorCode == .none)
        #expect(some.topics.map { $0.partitions.map(\.committedOffset) } == [[-1, 5], [-1, -1]])
        #expect(some.topics.allSatisfy { $0.partitions.allSatisfy { $0.errorCode == .none } })
        guard version >= 2 else { return }
        request.topics = nil
        let all = try client.call(request, version: version)
        #expect(all.topics.map(\.name) == ["t"])
        #expect(all.topics.first?.partitions.map(\.partitionIndex) == [1])
    }

    @Test func `who asks during an election is told what is committed when it is over`() throws {
        let (world, client) = try Self.world(3)
        #expect(try client.commit("g", 42) == ErrorCode.none)
        let former = try #require(world.leader())
        let others = world.brokers.filter { $0 !== former }
        try world.run(until: "all know the topic") { others.allSatisfy { $0.broker.metadata.topic(named: "t") != nil } }
        world.kill(former)
        try world.run(until: "the leader is missed") {
            others.allSatisfy { $0.broker.metadataShard.leader == nil }
        }
        let request = OffsetFetchRequest { request in
            request.groups = [
                OffsetFetchRequest.Group {
                    $0.groupID = "g"
                    $0.topics = nil
                }
            ]
        }
        let asked = try others.map { other in
            let client = world.client(of: other)
            return (other, client, try client.send(request, version: 8))
        }
        for (other, client, call) in asked {
            let group = try client.wait(for: call).groups.first
            let leads = world.leader() === other
            #expect(group?.errorCode == (leads ? ErrorCode.none : .notCoordinator))
            #expect(group?.topics.first?.partitions.first?.committedOffset == (leads ? 42 : nil))
        }
    }

    @Test func `many groups are asked for at once, and a group that nobody knows has committed nothing`() throws {
        let (_, client) = try Self.world()
        for (group, offset) in [("a", Int64(1)), ("b", 2)] { _ = try client.commit(group, offset) }
        let request = OffsetFetchRequest { request in
            request.groups = ["a", "b", "unknown"].map { group in
                OffsetFetchRequest.Group {
                    $0.groupID = group
                    $0.topics = nil
                }
            }
        }
        let answer = try client.call(request, version: 8)
        #expect(answer.groups.map(\.groupID) == ["a", "b", "unknown"])
        #expect(answer.groups.map { $0.topics.first?.partitions.first?.committedOffset } == [1, 2, nil])
        #expect(answer.groups.allSatisfy { $0.errorCode == .none })
        #expect(try client.committed("unknown")?.committedOffset == -1)
    }

    @Test func `topics go by their ids in version 10`() throws {
        let (_, client) = try Self.world()
        let id = try #require(client.broker.read { $0.metadata.topic(named: "t")?.id })
        let unknown = TopicID(high: 1, low: 1)
        #expect(try client.commit("g", 8, topic: "", version: 10, topicID: id) == ErrorCode.none)
        #expect(try client.commit("g", 8, topic: "", version: 10, topicID: unknown) == .unknownTopicID)
        let request = OffsetFetchRequest { request in
            request.groups = [
                OffsetFetchRequest.Group { group in
                    group.groupID = "g"
                    group.topics = [id, unknown].map { id in
                        OffsetFetchRequest.GroupTopic {
                            $0.topicID = id
                            $0.partitionIndexes = [0]
                        }
                    }
                }
            ]
        }
        let topics = try #require(try client.call(request, version: 10).groups.first?.topics)
        #expect(topics.map(\.topicID) == [id, unknown])
        #expect(topics.map { $0.partitions[0].committedOffset } == [8, -1])
        #expect(topics.map { $0.partitions[0].errorCode } == [.none, .unknownTopicID])
    }

    @Test func `each partition has its own error`() throws {
        let (_, client) = try Self.world()
        #expect(try client.commit("g", 1, topic: "missing") == .unknownTopicOrPartition)
        #expect(try client.commit("g", 1, partition: 2) == .unknownTopicOrPartition)
        #expect(try client.commit("g", 1, partition: -1) == .unknownTopicOrPartition)
        let long = String(repeating: "x", count: 4_097)
        #expect(try client.commit("g", 1, metadata: long) == .offsetMetadataTooLarge)
        #expect(try client.commit("g", 1, metadata: String(long.dropLast())) == ErrorCode.none)
    }

    @Test func `only members of the generation commit while there are members`() throws {
        let (_, client) = try Self.world()
        let joined = try client.becomeOnlyMember(of: "g")
        #expect(try client.commit("g", 1) == .unknownMemberID)
        var stale = joined
        stale.generationID += 1
        #expect(try client.commit("g", 1, as: stale) == .illegalGeneration)
        #expect(try client.commit("g", 2, as: joined) == ErrorCode.none)
        #expect(try client.committed("g")?.committedOffset == 2)
    }

    @Test func `a new leader knows every offset that was acknowledged, and a deposed one shows none`() throws {
        let (world, client) = try Self.world(3)
        #expect(try client.commit("g", 1) == ErrorCode.none)
        let former = client.broker
        world.setConnected(former, false)
        let asked = try client.send(
            OffsetFetchRequest { $0.groups = [OffsetFetchRequest.Group { $0.groupID = "g" }] }, version: 9)
        let leader = try world.runUntilNewLeader(after: former)
        let next = world.client(of: leader)
        #expect(try next.committed("g")?.committedOffset == 1)
        #expect(try next.commit("g", 2) == ErrorCode.none)
        #expect(try client.wait(for: asked).groups.first?.errorCode == .notCoordinator)
    }

    @Test func `offsets survive the restart of every broker`() throws {
        let (world, client) = try Self.world(3) { $0.shardCount = 2 }
        for group in ["a", "b", "c", "d"] {
            let shard = Int(GroupID.shard(of: group, among: 2).rawValue)
            let coordinator = world.client(of: try #require(world.leader(ofShard: shard)))
            try world.run(until: "the topic is known") {
                coordinator.broker.read { $0.metadata.topic(named: "t") } != nil
            }
            #expect(try coordinator.commit(group, 11) == ErrorCode.none)
        }
        _ = client
        for broker in world.brokers { world.kill(broker) }
        for broker in world.brokers { try world.start(broker) }
        try world.runUntilReady()
        for group in ["a", "b", "c", "d"] {
            let shard = Int(GroupID.shard(of: group, among: 2).rawValue)
            let coordinator = world.client(of: try #require(world.leader(ofShard: shard)))
            try world.run(until: "the topic is known") {
                coordinator.broker.read { $0.metadata.topic(named: "t") } != nil
            }
            #expect(try coordinator.committed(group)?.committedOffset == 11)
        }
    }

    @Test func `a coordinator that has not heard of a topic does not say that nothing is committed for it`() throws {
        let group = try #require((0..<20).map { "g\($0)" }.first { GroupID.shard(of: $0, among: 2) == ShardID(1) })
        for seed in 1...20 as ClosedRange<UInt64> {
            let world = try World.ready(brokers: 3, seed: seed) { $0.shardCount = 2 }
            let metadataLeader = try #require(world.leader(ofShard: 0))
            let former = try #require(world.leader(ofShard: 1))
            let lagging = try #require(world.brokers.first { $0 !== metadataLeader && $0 !== former })
            guard metadataLeader !== former else { continue }
            lagging.setWriterStalled(true, shard: 0)
            try world.client(of: metadataLeader).createTopic("t")
            let client = world.client(of: former)
            try world.run(until: "the topic is known") { former.read { $0.metadata.topic(named: "t") } != nil }
            #expect(try client.commit(group, 5) == ErrorCode.none)
            world.kill(former)
            guard try world.runUntilNewLeader(ofShard: 1, after: former) === lagging else { continue }
            #expect(lagging.read { $0.metadata.topic(named: "t") } == nil)
            let next = world.client(of: lagging)
            let request = OffsetFetchRequest { $0.groups = [OffsetFetchRequest.Group { $0.groupID = group }] }
            #expect(try next.call(request, version: 9).groups.first?.errorCode == .coordinatorLoadInProgress)
            lagging.setWriterStalled(false, shard: 0)
            try world.run(until: "the topic is known") { lagging.read { $0.metadata.topic(named: "t") } != nil }
            #expect(try next.committed(group)?.committedOffset == 5)
            return
        }
        Issue.record("no seed made the lagging broker the coordinator")
    }

    @Test func `offsets of a deleted topic go, in every shard`() throws {
        let (world, client) = try Self.world(1) { $0.shardCount = 3 }
        let groups = (0..<9).map { "group-\($0)" }
        for group in groups { #expect(try client.commit(group, 5) == ErrorCode.none) }
        _ = try client.call(
            DeleteTopicsRequest { $0.topics = [DeleteTopicsRequest.Topic { $0.name = "t" }] }, version: 6)
        try world.run(until: "every offset is gone") {
            client.broker.read { $0.shards.allSatisfy { $0.machine.groups.groups.isEmpty } }
        }
        try client.createTopic("t")
        #expect(try client.committed(groups[0])?.committedOffset == -1)
    }

    @Test func `offsets of a group without members are forgotten after a while`() throws {
        let (world, client) = try Self.world(1) {
            $0.groups.offsetsRetention = 300_000
            $0.groups.offsetsCheckInterval = 10_000
        }
        #expect(try client.commit("g", 5) == ErrorCode.none)
        world.run(for: .seconds(290))
        #expect(try client.committed("g")?.committedOffset == 5)
        world.run(for: .seconds(25))
        #expect(try client.committed("g")?.committedOffset == -1)
    }

    // MARK: Administration

    @Test func `groups are listed by state and by type`() throws {
        let (world, client) = try Self.world()
        _ = try client.becomeOnlyMember(of: "active")
        _ = try world.client(of: client.broker).commit("plain", 1)
        func list(states: [String] = [], types: [String] = []) throws -> [String] {
            try client.call(
                ListGroupsRequest {
                    $0.statesFilter = states
                    $0.typesFilter = types
                }
            ).groups.map { "\($0.groupID) \($0.groupState) \($0.groupType) \($0.protocolType)" }
        }
        #expect(try list() == ["active Stable classic consumer", "plain Empty classic "])
        #expect(try list(states: ["stable"]).count == 1)
        #expect(try list(states: ["Empty", "Dead"]) == ["plain Empty classic "])
        #expect(try list(types: ["Classic"]).count == 2)
        #expect(try list(types: ["consumer"]).isEmpty)
        #expect(try client.call(ListGroupsRequest(), version: 0).groups.map(\.groupID) == ["active", "plain"])
    }

    @Test(arguments: 0...6 as ClosedRange<Int16>)
    func `a group is described with its members`(version: Int16) throws {
        let (_, client) = try Self.world()
        let joined = try client.becomeOnlyMember(of: "g")
        let request = DescribeGroupsRequest {
            $0.groups = ["g", "unknown"]
            $0.includeAuthorizedOperations = true
        }
        let answer = try client.call(request, version: version)
        let group = try #require(answer.groups.first), unknown = try #require(answer.groups.last)
        #expect(group.groupState == "Stable")
        #expect(group.protocolType == "consumer")
        #expect(group.protocolData == "range")
        #expect(group.members.map(\.memberID) == [joined.memberID])
        #expect(group.members.first?.clientID == "test")
        #expect(group.members.first?.memberAssignment == ByteBuffer(string: "all"))
        #expect(group.members.first?.memberMetadata == .subscription(to: ["t"]))
        if version >= 3 { #expect(group.authorizedOperations == 328) }
        #expect(unknown.groupState == "Dead")
        #expect(unknown.errorCode == (version >= 6 ? .groupIDNotFound : .none))
    }

    @Test func `groups without members are deleted`() throws {
        let (world, client) = try Self.world()
        _ = try client.becomeOnlyMember(of: "active")
        let other = world.client(of: client.broker)
        _ = try other.commit("plain", 1)
        let answer = try other.call(DeleteGroupsRequest { $0.groupsNames = ["active", "plain", "unknown"] })
        #expect(answer.results.map(\.groupID) == ["active", "plain", "unknown"])
        #expect(answer.results.map(\.errorCode) == [.nonEmptyGroup, .none, .groupIDNotFound])
        #expect(try other.committed("plain")?.committedOffset == -1)
    }

    @Test func `offsets of topics that are not consumed are deleted`() throws {
        let (_, client) = try Self.world()
        try client.createTopic("old")
        _ = try client.commit("g", 1)
        _ = try client.commit("g", 2, topic: "old")
        _ = try client.becomeOnlyMember(of: "g")
        let request = OffsetDeleteRequest { request in
            request.groupID = "g"
            request.topics = ["t", "old", "missing"].map { name in
                OffsetDeleteRequest.Topic {
                    $0.name = name
                    $0.partitions = [OffsetDeleteRequest.Partition { $0.partitionIndex = 0 }]
                }
            }
        }
        let answer = try client.call(request)
        #expect(answer.errorCode == .none)
        let expected: [ErrorCode] = [.groupSubscribedToTopic, .none, .unknownTopicOrPartition]
        #expect(answer.topics.map { $0.partitions[0].errorCode } == expected)
        #expect(try client.committed("g")?.committedOffset == 1)
        #expect(try client.committed("g", topic: "old")?.committedOffset == -1)
        #expect(try client.call(OffsetDeleteRequest { $0.groupID = "unknown" }).errorCode == .groupIDNotFound)
    }
}
