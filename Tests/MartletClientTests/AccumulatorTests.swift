import KafkaWire
import NIOCore
import Testing

@testable import MartletClient

@Suite("Accumulator")
struct AccumulatorTests {
    private static let partition = TopicPartition("orders", 0)

    private func accumulator(
        partitions: Int = 1, _ change: (inout ProducerConfiguration) -> Void = { _ in }
    ) -> Accumulator {
        var configuration = ProducerConfiguration()
        change(&configuration)
        let accumulator = Accumulator(configuration)
        accumulator.update("orders", partitionCount: partitions)
        return accumulator
    }

    private func append(
        _ accumulator: Accumulator, _ value: String = "x", key: String? = nil, partition: Int32? = nil,
        reserved: Bool = false
    ) throws -> Accumulator.Appended {
        var record = ProducerRecord(topic: "orders", key: key, value: value)
        record.partition = partition
        return try accumulator.append(record, bytes: record.maximumByteCount, reserved: reserved)
    }

    private func isNews(_ appended: Accumulator.Appended) throws -> Bool {
        guard case .done(_, let isNews) = appended else { throw KafkaClientError(.invalidArgument, "\(appended)") }
        return isNews
    }

    private func recordCount(_ next: PartitionQueue.Next) throws -> Int32? {
        guard case .batch(let sealed) = next, case .builder(let builder) = sealed.content else { return nil }
        return try builder.build().header.recordCount
    }

    @Test("records join a batch until it is full, and only a new batch is news to the sender")
    func batching() throws {
        let accumulator = accumulator { $0.batchBytes = 61 + 5 * 37 }
        var news: [Bool] = []
        // Each takes 37 bytes of the reckoning and 8 of the batch.
        for _ in 0..<22 { news.append(try isNews(append(accumulator))) }
        #expect(news.filter { $0 }.count == 2)
        #expect(news.first == true)
        let first = try #require(try recordCount(accumulator.next(of: Self.partition, now: .now(), isIdle: true)))
        let second = try #require(try recordCount(accumulator.next(of: Self.partition, now: .now(), isIdle: true)))
        #expect(first + second == 22)
        #expect(accumulator.pendingPartitions.isEmpty)
    }

    @Test("a partition with nothing under way sends at once, another one lingers")
    func lingering() throws {
        let accumulator = accumulator { $0.linger = .seconds(10) }
        _ = try append(accumulator)
        let now = NIODeadline.now()
        guard case .due(let time) = accumulator.next(of: Self.partition, now: now, isIdle: false) else {
            Issue.record("the batch did not linger")
            return
        }
        #expect(time > now && time <= now + .seconds(10))
        #expect(try recordCount(accumulator.next(of: Self.partition, now: now, isIdle: true)) == 1)
        _ = try append(accumulator)
        #expect(try recordCount(accumulator.next(of: Self.partition, now: now + .seconds(11), isIdle: false)) == 1)
    }

    @Test("a flush ends the lingering")
    func flush() throws {
        let accumulator = accumulator { $0.linger = .seconds(10) }
        _ = try append(accumulator)
        #expect(accumulator.beginFlush().count == 1)
        #expect(try recordCount(accumulator.next(of: Self.partition, now: .now(), isIdle: false)) == 1)
        #expect(accumulator.endFlush() == nil)
    }

    @Test("without room a record must wait; room goes to those who came first")
    func backPressure() async throws {
        let accumulator = accumulator {
            $0.batchBytes = 1
            $0.bufferBytes = 100
        }
        _ = try append(accumulator)
        _ = try append(accumulator)
        guard case .full = try append(accumulator) else {
            Issue.record("the third record of 37 bytes found room in 100")
            return
        }
        let order = try await withThrowingTaskGroup(of: Int.self) { group in
            var order: [Int] = []
            group.addTask {
                try await accumulator.waitForRoom(37)
                return 1
            }
            // Frees the first of the two batches: enough for one of those who wait.
            guard case .batch(let sealed) = accumulator.next(of: Self.partition, now: .now(), isIdle: true) else {
                throw KafkaClientError(.invalidArgument, "no batch")
            }
            accumulator.settle(sealed.delivery, reservedBytes: sealed.reservedBytes, .success(.init()))
            order.append(try #require(try await group.next()))
            return order
        }
        #expect(order == [1])
        // What was reserved for the waiting task is taken.
        guard case .full = try append(accumulator) else {
            Issue.record("the room was given away twice")
            return
        }
        #expect(try isNews(append(accumulator, reserved: true)))
    }

    @Test("who waits for room leaves when cancelled, and when the producer closes")
    func leaving() async throws {
        let accumulator = accumulator { $0.bufferBytes = 10 }
        let cancelled = Task { try await accumulator.waitForRoom(11) }
        cancelled.cancel()
        await #expect(throws: KafkaClientError.cancelled) { try await cancelled.value }
        let closed = Task { try await accumulator.waitForRoom(11) }
        accumulator.close()
        await #expect(throws: KafkaClientError.closed) { try await closed.value }
        #expect(throws: KafkaClientError.closed) { try append(accumulator) }
    }

    @Test("records with a key go by its hash, those with a partition there, the others together")
    func partitions() throws {
        let accumulator = accumulator(partitions: 8)
        for _ in 0..<5 { _ = try append(accumulator, key: "21") }
        let byKey = Partitioner.partition(of: ByteBuffer(string: "21"), count: 8)
        #expect(accumulator.pendingPartitions == [TopicPartition("orders", byKey)])
        _ = try append(accumulator, partition: 3)
        #expect(accumulator.pendingPartitions.contains(TopicPartition("orders", 3)))
        let before = accumulator.pendingPartitions
        for _ in 0..<20 { _ = try append(accumulator) }
        #expect(accumulator.pendingPartitions.subtracting(before).count <= 1)
        #expect(throws: KafkaClientError.self) { try append(accumulator, partition: 8) }
    }

    @Test("records without a key move to another partition when they have filled a batch")
    func stickiness() throws {
        let accumulator = accumulator(partitions: 64) { $0.batchBytes = 100 }
        for _ in 0..<200 { _ = try append(accumulator) }
        #expect(accumulator.pendingPartitions.count > 16)
    }

    @Test("an unknown topic is told as such")
    func unknownTopic() throws {
        let record = ProducerRecord(topic: "other", value: "x")
        guard case .unknownTopic = try accumulator().append(record, bytes: 1, reserved: false) else {
            Issue.record("the record was taken")
            return
        }
    }
}
