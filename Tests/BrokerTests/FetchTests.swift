import Basics
import KafkaWire
import NIOCore
import Raft
import Testing

@testable import Broker

@Suite struct FetchTests {
    /// A world whose topic "t" has one batch of two records for each pair of values.
    private func world(
        batches: Int = 0, brokers: Int = 1, configure: (inout BrokerConfiguration) -> Void = { _ in }
    ) throws -> (World, SimulatedClient) {
        let world = try World.ready(brokers: brokers, configure: configure)
        let client = world.client(of: try #require(world.leader()))
        try client.createTopic("t", partitions: 2)
        for number in 0..<batches {
            try client.produce(.batch("\(2 * number)", "\(2 * number + 1)"), to: "t")
        }
        return (world, client)
    }

    // MARK: Offsets

    @Test func `batches carry their offsets and the leader's epoch`() throws {
        let (world, client) = try world(batches: 3)
        let answer = try client.fetch("t", from: 0)
        let headers = try answer.readHeaders()
        #expect(headers.map(\.baseOffset) == [0, 2, 4])
        let epoch = world.brokers[0].broker.shards[0].leaderEpoch
        #expect(headers.map(\.partitionLeaderEpoch) == [epoch, epoch, epoch])
        #expect(try answer.readRecords().map(\.offset) == [0, 1, 2, 3, 4, 5])
        #expect(answer.highWatermark == 6)
        #expect(answer.lastStableOffset == 6)
        #expect(answer.logStartOffset == 0)
    }

    @Test func `an offset within a batch gets the whole batch`() throws {
        let (_, client) = try world(batches: 3)
        #expect(try client.fetch("t", from: 3).readHeaders().map(\.baseOffset) == [2, 4])
    }

    @Test func `the end of the partition gives nothing and no error`() throws {
        let (_, client) = try world(batches: 1)
        let answer = try client.fetch("t", from: 2)
        #expect(answer.errorCode == .none)
        #expect(answer.records.isEmpty)
        #expect(answer.highWatermark == 2)
    }

    @Test(arguments: [3, -1, Int64.max, Int64.min])
    func `an offset out of range is told so, with the range`(offset: Int64) throws {
        let (_, client) = try world(batches: 1)
        let answer = try client.fetch("t", from: offset)
        #expect(answer.errorCode == .offsetOutOfRange)
        #expect(answer.highWatermark == 2)
        #expect(answer.logStartOffset == 0)
        #expect(answer.records.isEmpty)
    }

    @Test func `a partition that was never written to is empty`() throws {
        let (_, client) = try world()
        let answer = try client.fetch("t", from: 0)
        #expect(answer.errorCode == .none)
        #expect(answer.highWatermark == 0)
        #expect(try client.fetch("t", from: 1).errorCode == .offsetOutOfRange)
    }

    @Test func `missing topics and partitions are unknown`() throws {
        let (_, client) = try world()
        #expect(try client.fetch("u", from: 0).errorCode == .unknownTopicOrPartition)
        #expect(try client.fetch("t", partition: 2, from: 0).errorCode == .unknownTopicOrPartition)
        #expect(try client.fetch("t", partition: -1, from: 0).errorCode == .unknownTopicOrPartition)
    }

    @Test func `topics are found by id from version 13 on`() throws {
        let world = try World.ready()
        let client = world.client(of: world.brokers[0])
        let id = try client.createTopic("t").topicID
        try client.produce(.batch("a"), to: "t")
        func fetch(_ id: TopicID, _ partition: Int32 = 0) throws -> FetchResponse.Partition {
            var request = SimulatedClient.fetchRequest("", partition: partition, from: 0)
            request.topics[0].topicID = id
            return try client.call(request, version: 17).topics[0].partitions[0]
        }
        #expect(try fetch(id).readRecords().count == 1)
        #expect(try fetch(TopicID(high: 9, low: 9)).errorCode == .unknownTopicID)
        #expect(try fetch(id, 1).errorCode == .unknownTopicOrPartition)
    }

    @Test func `what is not committed is not seen`() throws {
        let (world, client) = try world(batches: 1, brokers: 3)
        let leader = try #require(world.leader())
        for broker in world.brokers { world.setConnected(broker, false) }
        _ = try client.send(
            SimulatedClient.produceRequest(.batch("x"), to: "t"), version: SimulatedClient.produceVersion)
        world.run(for: .milliseconds(50))
        #expect(leader.broker.shards[0].node.flushedIndex > leader.broker.shards[0].node.commitIndex)
        let other = world.client(of: leader)
        let answer = try other.fetch("t", from: 0)
        #expect(answer.highWatermark == 2)
        #expect(try answer.readRecords().count == 2)
        #expect(try other.fetch("t", from: 3).errorCode == .offsetOutOfRange)
    }

    // MARK: Limits

    @Test func `as many whole batches as fit come back, and the first whatever its size`() throws {
        let (_, client) = try world(batches: 4)
        let size = try Int32(client.fetch("t", from: 0, maxBytes: 1).records.byteCount)
        func count(_ maxBytes: Int32) throws -> Int {
            try client.fetch("t", from: 0, maxBytes: maxBytes).readHeaders().count
        }
        #expect(try count(0) == 1)
        #expect(try count(1) == 1)
        #expect(try count(2 * size - 1) == 1)
        #expect(try count(2 * size) == 2)
        #expect(try count(.max) == 4)
        #expect(try count(-5) == 1)
    }

    @Test func `the request's limit holds over all partitions, and only the very first batch may pass it`() throws {
        let (_, client) = try world(batches: 2)
        try client.produce(.batch("0", "1"), to: "t", partition: 1)
        let size = try client.fetch("t", from: 0, maxBytes: 1).records.byteCount
        func counts(_ maxBytes: Int) throws -> [Int] {
            let request = SimulatedClient.fetchRequest("t", from: 0) { request in
                request.maxBytes = Int32(maxBytes)
                var second = request.topics[0].partitions[0]
                second.partition = 1
                request.topics[0].partitions.append(second)
            }
            return try client.call(request, version: SimulatedClient.fetchVersion).topics[0].partitions
                .map { try $0.readHeaders().count }
        }
        #expect(try counts(1) == [1, 0])
        #expect(try counts(2 * size) == [2, 0])
        #expect(try counts(3 * size) == [2, 1])
    }

    @Test func `an empty partition does not use up the right to a first batch`() throws {
        let (_, client) = try world(batches: 1)
        let request = SimulatedClient.fetchRequest("t", partition: 1, from: 0, maxBytes: 1) { request in
            var second = request.topics[0].partitions[0]
            second.partition = 0
            request.topics[0].partitions.append(second)
        }
        let answer = try client.call(request, version: SimulatedClient.fetchVersion)
        #expect(try answer.topics[0].partitions.map { try $0.readHeaders().count } == [0, 1])
    }

    @Test func `readers that go on batch by batch get all of them, wherever others stop`() throws {
        let (_, client) = try world(batches: 6)
        try client.produce(.batch("x"), to: "t", partition: 1)
        var offsets: [Int64] = [0, 4, 2, 0]
        var found: [Int64] = []
        for round in 0..<12 {
            if round % 4 == 3 { try client.produce(.batch("\(12 + found.count)", "y"), to: "t") }
            for reader in offsets.indices {
                let headers = try client.fetch("t", from: offsets[reader], maxBytes: 1).readHeaders()
                guard let header = headers.first else { continue }
                #expect(headers.count == 1 && header.baseOffset == offsets[reader])
                offsets[reader] = header.lastOffset + 1
                if reader == 0 { found.append(header.baseOffset) }
            }
        }
        #expect(found == Array(stride(from: 0, to: 18, by: 2)))
        #expect(Set(offsets) == [18])
        #expect(try client.consume("t", partition: 1) == ["x"])
    }

    @Test func `the broker's own limit holds whatever the client asks`() throws {
        let (_, client) = try world(batches: 4) { $0.fetchBytesMax = 160 }
        let answer = try client.fetch("t", from: 0, maxBytes: .max)
        #expect(try answer.readHeaders().count == 2)
    }

    // MARK: Epochs

    @Test func `a client of an older epoch is fenced, one of a newer epoch unknown`() throws {
        let (world, client) = try world(batches: 1, brokers: 3)
        let epoch = try #require(world.leader()).broker.shards[0].leaderEpoch
        func code(_ clientEpoch: Int32) throws -> ErrorCode {
            try client.fetch("t", from: 0) { $0.topics[0].partitions[0].currentLeaderEpoch = clientEpoch }.errorCode
        }
        #expect(try code(epoch) == .none)
        #expect(try code(-1) == .none)
        #expect(try code(epoch - 1) == .fencedLeaderEpoch)
        #expect(try code(epoch + 1) == .unknownLeaderEpoch)
    }

    @Test func `a follower refuses and names the leader and where it is`() throws {
        let (world, _) = try world(batches: 1, brokers: 3)
        world.run(for: .seconds(1))
        let leader = try #require(world.leader())
        let follower = try #require(world.brokers.first { $0 !== leader })
        let id = try #require(follower.broker.metadata.topic(named: "t")).id
        var request = SimulatedClient.fetchRequest("", from: 0)
        request.topics[0].topicID = id
        let response = try world.client(of: follower).call(request, version: 17)
        let answer = response.topics[0].partitions[0]
        #expect(answer.errorCode == .notLeaderOrFollower)
        #expect(answer.currentLeader.leaderID == leader.id.rawValue)
        #expect(response.nodeEndpoints.map(\.nodeID) == [leader.id.rawValue])
        #expect(response.nodeEndpoints.map(\.port) == [leader.configuration.advertisedPort])
    }

    @Test func `a client whose last epoch ended earlier than it read is told where the logs part`() throws {
        let (world, client) = try world(batches: 2, brokers: 3)
        let leader = try #require(world.leader())
        let oldEpoch = leader.broker.shards[0].leaderEpoch
        world.kill(leader)
        let successor = world.client(of: try world.runUntilNewLeader(after: leader))
        try successor.produce(.batch("new", "newer"), to: "t")
        func divergence(_ offset: Int64, _ epoch: Int32) throws -> FetchResponse.EpochEndOffset {
            try successor.fetch("t", from: offset) { $0.topics[0].partitions[0].lastFetchedEpoch = epoch }
                .divergingEpoch
        }
        // Read through the end of the old epoch: nothing was cut off.
        #expect(try divergence(4, oldEpoch).endOffset == -1)
        // Claims to have read more in the old epoch than there is.
        let parted = try divergence(5, oldEpoch)
        #expect(parted.epoch == oldEpoch)
        #expect(parted.endOffset == 4)
        #expect(client.broker === leader)
    }

    // MARK: Sessions

    @Test func `a session is declined, and a session that was never given is unknown`() throws {
        let (_, client) = try world(batches: 1)
        let first = try client.call(
            SimulatedClient.fetchRequest("t", from: 0) { $0.sessionEpoch = 0 }, version: SimulatedClient.fetchVersion)
        #expect(first.errorCode == .none)
        #expect(first.sessionID == 0)
        #expect(first.topics.count == 1)
        let second = try client.call(
            SimulatedClient.fetchRequest("t", from: 0) { request in
                request.sessionID = 7
                request.sessionEpoch = 1
            }, version: SimulatedClient.fetchVersion)
        #expect(second.errorCode == .fetchSessionIDNotFound)
        #expect(second.topics.isEmpty)
    }

    @Test func `aborted transactions are null for readers of everything and empty for the others`() throws {
        let (_, client) = try world(batches: 1)
        #expect(try client.fetch("t", from: 0).abortedTransactions == nil)
        #expect(try client.fetch("t", from: 0) { $0.isolationLevel = 1 }.abortedTransactions?.isEmpty == true)
    }

    @Test func `a request without partitions is answered at once`() throws {
        let (_, client) = try world()
        let call = try client.send(
            FetchRequest {
                $0.maxWaitMs = 10_000
                $0.minBytes = 1
            }, version: SimulatedClient.fetchVersion)
        #expect(call.isAnswered)
    }
}
