import Basics
import KafkaWire
import NIOCore
import Raft
import Testing

@testable import Broker

/// DescribeTopicPartitions, DescribeLogDirs, DescribeQuorum, ElectLeaders and the requests about reassignments.
@Suite struct AdministrationTests {
    // MARK: DescribeTopicPartitions

    private static func page(
        _ topics: [String] = [], limit: Int32 = 2_000, from cursor: (String, Int32)? = nil
    ) -> DescribeTopicPartitionsRequest {
        DescribeTopicPartitionsRequest { request in
            request.topics = topics.map { name in .init { $0.name = name } }
            request.responsePartitionLimit = limit
            request.cursor = cursor.map { place in
                .init {
                    $0.topicName = place.0
                    $0.partitionIndex = place.1
                }
            }
        }
    }

    @Test func `topics come in their order with all there is to know of their partitions`() throws {
        let world = try World.ready(brokers: 3)
        let leader = try #require(world.leader())
        let client = world.client(of: leader)
        let id = try client.createTopic("b", partitions: 2).topicID
        try client.createTopic("a")
        let response = try client.call(Self.page())
        #expect(response.topics.map(\.name) == ["a", "b"])
        #expect(response.topics[1].topicID == id)
        #expect(response.nextCursor == nil)
        for partition in response.topics.flatMap(\.partitions) {
            #expect(partition.errorCode == .none)
            #expect(partition.leaderID == leader.id.rawValue)
            #expect(partition.leaderEpoch == leader.broker.shards[0].leaderEpoch)
            #expect(partition.replicaNodes == [1, 2, 3] && partition.isrNodes == [1, 2, 3])
            #expect(partition.eligibleLeaderReplicas == [] && partition.lastKnownELR == [])
        }
    }

    @Test(arguments: 1...8 as ClosedRange<Int32>)
    func `page after page gives every partition once`(limit: Int32) throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        for (name, count) in [("a", 3), ("b", 1), ("c", 3)] as [(String, Int32)] {
            try client.createTopic(name, partitions: count)
        }
        var found: [String] = []
        var cursor: (String, Int32)?
        repeat {
            let response = try client.call(Self.page(limit: limit, from: cursor))
            let page = response.topics.flatMap { topic in
                topic.partitions.map { "\(topic.name ?? "")\($0.partitionIndex)" }
            }
            #expect(page.count == min(Int(limit), 7 - found.count))
            found += page
            cursor = response.nextCursor.map { ($0.topicName, $0.partitionIndex) }
        } while cursor != nil
        #expect(found == ["a0", "a1", "a2", "b0", "c0", "c1", "c2"])
    }

    @Test func `topics asked for come once, those that are not there with their error`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t")
        let response = try client.call(Self.page(["u", "t", "no name", "t"]))
        #expect(response.topics.map(\.name) == ["no name", "t", "u"])
        #expect(response.topics.map(\.errorCode) == [.invalidTopicException, .none, .unknownTopicOrPartition])
    }

    @Test func `a cursor at a topic that is gone goes on behind it`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        for name in ["a", "c"] { try client.createTopic(name) }
        #expect(try client.call(Self.page(from: ("b", 7))).topics.map(\.name) == ["c"])
        #expect(try client.call(Self.page(from: ("c", 7))).topics.flatMap(\.partitions).isEmpty)
    }

    // MARK: DescribeLogDirs

    private final class FixedVolume: VolumeProbe {
        func measure(_ completion: @escaping (VolumeSpace?) -> Void) {
            completion(VolumeSpace(total: 1_000, usable: 400))
        }
    }

    @Test(arguments: DescribeLogDirsRequest.versions)
    func `every partition has the bytes of its batches, and the volume its room`(version: Int16) throws {
        let world = try World.ready { $0.logDirectory = "/logs" }
        world.brokers[0].read { $0.volume = FixedVolume() }
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t", partitions: 2)
        let batch = try ByteBuffer.batch("a", "b")
        for _ in 0..<3 { try client.produce(batch, to: "t", partition: 1) }
        let response = try client.call(DescribeLogDirsRequest { $0.topics = nil }, version: version)
        #expect(response.errorCode == .none)
        let directory = try #require(response.results.first)
        #expect(directory.logDir == "/logs")
        #expect(directory.totalBytes == (version >= 4 ? 1_000 : -1))
        #expect(directory.usableBytes == (version >= 4 ? 400 : -1))
        #expect(directory.topics.map(\.name) == ["t"])
        #expect(directory.topics[0].partitions.map(\.partitionSize) == [0, Int64(3 * batch.readableBytes)])
    }

    @Test func `only what was asked for and is there is told, and deleted records count no more`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t", partitions: 3)
        try client.createTopic("u")
        try client.produce(.batch("a"), to: "t", partition: 1)
        _ = try client.deleteRecords("t", partition: 1, before: -1)
        let request = DescribeLogDirsRequest { request in
            request.topics = ([("t", [1, 7]), ("v", [0])] as [(String, [Int32])]).map { name, partitions in
                .init {
                    $0.topic = name
                    $0.partitions = partitions
                }
            }
        }
        let directory = try #require(try client.call(request).results.first)
        #expect(directory.topics.map(\.name) == ["t"])
        #expect(directory.topics[0].partitions.map(\.partitionIndex) == [1])
        #expect(directory.topics[0].partitions.map(\.partitionSize) == [0])
        #expect(directory.totalBytes == -1)
    }

    // MARK: DescribeQuorum

    private static func quorum(
        _ topic: String = "__cluster_metadata", _ partition: Int32 = 0
    ) -> DescribeQuorumRequest {
        DescribeQuorumRequest { request in
            request.topics = [
                .init {
                    $0.topicName = topic
                    $0.partitions = [.init { $0.partitionIndex = partition }]
                }
            ]
        }
    }

    @Test(arguments: DescribeQuorumRequest.versions)
    func `any broker tells how the metadata's replication stands`(version: Int16) throws {
        let world = try World.ready(brokers: 3)
        let leader = try #require(world.leader())
        try world.client(of: leader).createTopic("t")
        world.run(for: .seconds(1))
        for broker in world.brokers {
            let response = try world.client(of: broker).call(Self.quorum(), version: version)
            #expect(response.errorCode == .none)
            let partition = try #require(response.topics.first?.partitions.first)
            let shard = leader.broker.shards[0]
            #expect(partition.errorCode == .none)
            #expect(partition.leaderID == leader.id.rawValue)
            #expect(partition.leaderEpoch == shard.leaderEpoch)
            #expect(partition.highWatermark == Int64(shard.node.commitIndex.rawValue))
            #expect(partition.currentVoters.map(\.replicaID) == [1, 2, 3])
            #expect(partition.currentVoters.allSatisfy { $0.logEndOffset == partition.highWatermark })
            if version >= 1 {
                #expect(partition.currentVoters.allSatisfy { world.wallClock - $0.lastCaughtUpTimestamp < 1_000 })
            }
            #expect(partition.observers.isEmpty)
            #expect(response.nodes.map(\.nodeID) == (version >= 2 ? [1, 2, 3] : []))
            #expect(response.nodes.map { $0.listeners.map(\.port) } == (version >= 2 ? [[9001], [9002], [9003]] : []))
        }
    }

    @Test func `a voter that is cut off falls behind visibly`() throws {
        let world = try World.ready(brokers: 3)
        let leader = try #require(world.leader())
        let lost = try #require(world.brokers.first { $0 !== leader })
        world.setConnected(lost, false)
        let client = world.client(of: leader)
        try client.createTopic("t")
        world.run(for: .seconds(5))
        let partition = try #require(try client.call(Self.quorum()).topics.first?.partitions.first)
        let behind = try #require(partition.currentVoters.first { $0.replicaID == lost.id.rawValue })
        #expect(behind.logEndOffset < partition.highWatermark)
        #expect(behind.lastCaughtUpTimestamp == -1)
        #expect(world.wallClock - behind.lastFetchTimestamp >= 5_000)
    }

    @Test func `nothing but partition 0 of the metadata has a quorum`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        for request in [Self.quorum("__cluster_metadata", 1), Self.quorum("t", 0)] {
            let partition = try #require(try client.call(request).topics.first?.partitions.first)
            #expect(partition.errorCode == .unknownTopicOrPartition)
            #expect(partition.leaderID == -1)
        }
    }

    // MARK: ElectLeaders

    private static func elect(_ topics: [(String, [Int32])]?, unclean: Bool = false) -> ElectLeadersRequest {
        ElectLeadersRequest { request in
            request.electionType = unclean ? 1 : 0
            request.topicPartitions = topics?.map { name, partitions in
                .init {
                    $0.topic = name
                    $0.partitions = partitions
                }
            }
        }
    }

    @Test func `a partition that has its preferred leader needs no election`() throws {
        let world = try World.ready(brokers: 3) { $0.shardCount = 3 }
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t", partitions: 3)
        let isPreferred = world.brokers[0].read { broker in
            (0..<3).map { index in
                let shard = broker.shard(of: PartitionKey(TopicNumber(1), Int32(index)))
                return shard.leader?.rawValue == broker.replicas(of: shard).first
            }
        }
        let expected = isPreferred.map { $0 ? ErrorCode.electionNotNeeded : .preferredLeaderNotAvailable }
        for version in ElectLeadersRequest.versions {
            let response = try client.call(Self.elect([("t", [0, 1, 2])]), version: version)
            #expect(response.results.map(\.topic) == ["t"])
            #expect(response.results[0].partitions.map(\.errorCode) == expected)
        }
        let all = try client.call(Self.elect(nil))
        #expect(all.results.flatMap(\.partitions).count == isPreferred.filter { !$0 }.count)
        let unclean = try client.call(Self.elect([("t", [0])], unclean: true))
        #expect(unclean.results[0].partitions.map(\.errorCode) == [.electionNotNeeded])
    }

    @Test func `an election of partitions that are not there, or of an unknown kind, is refused`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        try client.createTopic("t")
        let missing = try client.call(Self.elect([("t", [1, -1]), ("u", [0])]))
        #expect(
            missing.results.flatMap { $0.partitions.map(\.errorCode) }
                == Array(repeating: .unknownTopicOrPartition, count: 3))
        var strange = Self.elect([("t", [0])])
        strange.electionType = 7
        #expect(try client.call(strange).errorCode == .invalidRequest)
    }

    // MARK: Reassignments

    @Test func `nothing is ever being moved, and nothing can be`() throws {
        let world = try World.ready(brokers: 3)
        let client = world.client(of: try #require(world.leader()))
        try client.createTopic("t", partitions: 3)
        let listed = try client.call(ListPartitionReassignmentsRequest { $0.topics = nil })
        #expect(listed.errorCode == .none && listed.topics.isEmpty)
        let request = AlterPartitionReassignmentsRequest { request in
            request.topics = [
                .init { topic in
                    topic.name = "t"
                    let wanted: [(Int32, [Int32]?)] = [(0, [3, 1, 2]), (1, [1]), (2, nil), (3, [1, 2, 3])]
                    topic.partitions = wanted.map { index, replicas in
                        .init {
                            $0.partitionIndex = index
                            $0.replicas = replicas
                        }
                    }
                }
            ]
        }
        for version in AlterPartitionReassignmentsRequest.versions {
            let altered = try client.call(request, version: version)
            #expect(
                altered.topics[0].partitions.map(\.errorCode) == [
                    .none, .invalidReplicaAssignment, .noReassignmentInProgress, .unknownTopicOrPartition,
                ])
        }
    }
}
