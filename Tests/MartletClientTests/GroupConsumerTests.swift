import KafkaWire
import NIOCore
import Synchronization
import Testing

@testable import MartletClient

@Suite("Group consumer", .timeLimit(.minutes(1)))
struct GroupConsumerTests {
    private final class Events: Sendable {
        private let list = Mutex<[RebalanceEvent]>([])
        var all: [RebalanceEvent] { list.withLock { $0 } }
        func add(_ event: RebalanceEvent) { list.withLock { $0.append(event) } }
    }

    private static func configuration(_ events: Events) -> GroupConsumerConfiguration {
        var configuration = GroupConsumerConfiguration()
        configuration.start = .beginning
        configuration.commitInterval = nil
        configuration.fetch.fetchWait = .milliseconds(5)
        configuration.onRebalance = { events.add($0) }
        return configuration
    }

    private static func place(_ partition: Int32) -> TopicPartition { TopicPartition("orders", partition) }

    private static func value(_ record: ConsumerRecord?) -> String? { record?.value.map { String(buffer: $0) } }

    @Test("a member joins with all it has to say, reports what it was given, commits, and leaves")
    func life() async throws {
        let one = try await OneBroker(partitions: 2)
        try one.fill(["a", "b"], partition: 0)
        let group = FakeGroup(one, assignment: [0])
        let events = Events()
        var configuration = Self.configuration(events)
        configuration.rackID = "r"
        configuration.assignor = "range"
        let consumer = try GroupConsumer(one.client, group: "g", topics: ["orders"], configuration)
        var iterator = consumer.messages.makeAsyncIterator()
        #expect(Self.value(try await iterator.next()) == "a")
        #expect(Self.value(try await iterator.next()) == "b")
        #expect(await consumer.assignment == [Self.place(0)])
        #expect(events.all == [.assigned([Self.place(0)])])

        let join = try #require(group.read(\.heartbeats).first)
        #expect(join.groupID == "g" && join.memberEpoch == 0 && TopicID(join.memberID) != nil)
        #expect(join.subscribedTopicNames == ["orders"] && join.rackID == "r" && join.serverAssignor == "range")
        #expect(join.rebalanceTimeoutMs == 300_000 && join.topicPartitions == [])
        try await group.wait { $0.heartbeats.contains { $0.topicPartitions?.first?.partitions == [0] } }
        let later = try #require(group.read(\.heartbeats).last)
        #expect(later.memberEpoch == 1 && later.subscribedTopicNames == nil && later.rebalanceTimeoutMs == -1)

        try await consumer.commit()
        let commit = try #require(group.read(\.commits).last)
        #expect(commit.memberID == join.memberID && commit.generationIDOrMemberEpoch == 1)
        #expect(group.read(\.committed) == [0: 2])
        await consumer.close()
        #expect(group.read(\.heartbeats).last?.memberEpoch == -1)
        #expect(try await iterator.next() == nil)
        try await one.broker.stop()
    }

    @Test("a member goes on where the group stopped, and where nothing was committed at the start it was told")
    func startOffsets() async throws {
        let one = try await OneBroker(partitions: 2)
        try one.fill(["a", "b", "c"], partition: 0)
        try one.fill(["x", "y"], partition: 1)
        let group = FakeGroup(one, assignment: [0, 1])
        group.update { $0.committed = [0: 2] }
        let consumer = try GroupConsumer(one.client, group: "g", topics: ["orders"], Self.configuration(Events()))
        var iterator = consumer.messages.makeAsyncIterator()
        var found: Set<String> = []
        for _ in 0..<3 { found.insert(Self.value(try await iterator.next()) ?? "") }
        #expect(found == ["c", "x", "y"])
        await consumer.close()
        try await one.broker.stop()
    }

    @Test("what goes is committed first, then reported as gone, and no record of it is given out any more")
    func revocation() async throws {
        let one = try await OneBroker(partitions: 2)
        try one.fill(["a0", "a1", "a2"], partition: 0)
        let group = FakeGroup(one, assignment: [0])
        let events = Events()
        var configuration = Self.configuration(events)
        configuration.commitInterval = .seconds(3_600)
        let consumer = try GroupConsumer(one.client, group: "g", topics: ["orders"], configuration)
        var iterator = consumer.messages.makeAsyncIterator()
        #expect(Self.value(try await iterator.next()) == "a0")
        group.assign([1])
        try await group.wait { !$0.isNew }
        try one.fill(["b0"], partition: 1)
        // The answer with the new assignment may still be under way: records of the old one may come until it is here.
        var next = try await iterator.next()
        while next?.partition == 0 { next = try await iterator.next() }
        #expect(Self.value(next) == "b0")
        #expect(events.all == [.assigned([Self.place(0)]), .revoked([Self.place(0)]), .assigned([Self.place(1)])])
        #expect((1...3).contains(group.read(\.committed)[0] ?? 0))
        try await group.wait { $0.heartbeats.contains { $0.topicPartitions?.first?.partitions == [1] } }
        await consumer.close()
        try await one.broker.stop()
    }

    @Test("a member that was given up loses all and joins anew", arguments: [
        ErrorCode.fencedMemberEpoch, .unknownMemberID,
    ])
    func lost(code: ErrorCode) async throws {
        let one = try await OneBroker()
        try one.fill(["a"])
        let group = FakeGroup(one, assignment: [0])
        let events = Events()
        let consumer = try GroupConsumer(one.client, group: "g", topics: ["orders"], Self.configuration(events))
        var iterator = consumer.messages.makeAsyncIterator()
        #expect(Self.value(try await iterator.next()) == "a")
        group.update { $0.errors = [code] }
        try await group.wait { $0.errors.isEmpty }
        // Nothing was committed, so the record comes again.
        #expect(Self.value(try await iterator.next()) == "a")
        #expect(events.all == [.assigned([Self.place(0)]), .lost([Self.place(0)]), .assigned([Self.place(0)])])
        let joins = group.read(\.heartbeats).filter { $0.memberEpoch == 0 }
        #expect(joins.count == 2)
        #expect(joins.allSatisfy { $0.subscribedTopicNames == ["orders"] && $0.topicPartitions == [] })
        await consumer.close()
        try await one.broker.stop()
    }

    @Test("errors of the coordinator pass, and so does an epoch that changes under a commit")
    func retries() async throws {
        let one = try await OneBroker()
        try one.fill(["a"])
        let group = FakeGroup(one, assignment: [0])
        group.update {
            $0.errors = [.coordinatorLoadInProgress, .notCoordinator]
            $0.commitErrors = [.staleMemberEpoch, .notCoordinator]
        }
        let consumer = try GroupConsumer(one.client, group: "g", topics: ["orders"], Self.configuration(Events()))
        var iterator = consumer.messages.makeAsyncIterator()
        #expect(Self.value(try await iterator.next()) == "a")
        try await consumer.commit()
        #expect(group.read(\.committed) == [0: 1])
        #expect(one.broker.versions(of: .findCoordinator).count >= 3)
        await consumer.close()
        try await one.broker.stop()
    }

    @Test("an error that does not pass ends the iteration with it")
    func fatal() async throws {
        let one = try await OneBroker()
        let group = FakeGroup(one, assignment: [0])
        group.update { $0.errors = [.unsupportedAssignor] }
        let consumer = try GroupConsumer(one.client, group: "g", topics: ["orders"], Self.configuration(Events()))
        var iterator = consumer.messages.makeAsyncIterator()
        do {
            _ = try await iterator.next()
            Issue.record("a member without an assignor was given records")
        } catch {
            #expect(error.brokerError == .unsupportedAssignor)
        }
        await consumer.close()
        try await one.broker.stop()
    }

    @Test("what was handled is committed by itself, and what is being handled is not")
    func automatic() async throws {
        let one = try await OneBroker()
        try one.fill(["a", "b", "c"])
        let group = FakeGroup(one, assignment: [0])
        var configuration = Self.configuration(Events())
        configuration.commitInterval = .milliseconds(1)
        let consumer = try GroupConsumer(one.client, group: "g", topics: ["orders"], configuration)
        var iterator = consumer.messages.makeAsyncIterator()
        for _ in 0..<3 { _ = try await iterator.next() }
        await consumer.close()
        #expect((group.read(\.committed)[0] ?? 0) <= 2)
        #expect(group.read(\.commits).allSatisfy { $0.topics[0].partitions[0].committedOffset <= 2 })
        try await one.broker.stop()
    }

    @Test("a static member says that it will be back")
    func staticMember() async throws {
        let one = try await OneBroker()
        try one.fill(["a"])
        let group = FakeGroup(one, assignment: [0])
        var configuration = Self.configuration(Events())
        configuration.instanceID = "i"
        let consumer = try GroupConsumer(one.client, group: "g", topics: ["orders"], configuration)
        var iterator = consumer.messages.makeAsyncIterator()
        _ = try await iterator.next()
        await consumer.close()
        #expect(group.read(\.heartbeats).allSatisfy { $0.instanceID == "i" })
        #expect(group.read(\.heartbeats).last?.memberEpoch == -2)
        try await one.broker.stop()
    }

    @Test("a group consumer needs a group and a topic")
    func arguments() throws {
        let client = KafkaClientConfiguration(bootstrapServers: [])
        #expect(throws: KafkaClientError.self) { try GroupConsumer(client, group: "", topics: ["t"]) }
        #expect(throws: KafkaClientError.self) { try GroupConsumer(client, group: "g", topics: []) }
    }
}
