import KafkaWire
import NIOCore
import Synchronization
import Testing

@testable import MartletClient

@Suite("Consumer", .timeLimit(.minutes(1)))
struct ConsumerTests {
    private func values(_ messages: ConsumerMessages, first count: Int = .max) async throws -> [String] {
        var values: [String] = []
        for try await record in messages {
            values.append(record.value.map { String(buffer: $0) } ?? "")
            if values.count == count { break }
        }
        return values
    }

    @Test("records are read across batches of every codec, one batch a fetch", arguments: [1, 3, Int.max])
    func codecs(batchesPerFetch: Int) async throws {
        let one = try await OneBroker()
        let topic = one.topic
        one.broker.update { $0.fetch = { request in .answer(topic.fetch(request, batches: batchesPerFetch)) } }
        var expected: [String] = []
        for codec in Codec.allCases {
            let batch = (0..<50).map { "\(codec) \($0)" }
            try one.fill(batch, codec: codec)
            expected += batch
        }
        let consumer = try Consumer(one.client)
        let read = try await values(consumer.messages(topic: "orders", from: .beginning, until: .currentEnd))
        #expect(read == expected)
        try await one.broker.stop()
    }

    @Test("a start inside a batch skips what lies before it")
    func insideBatch() async throws {
        let one = try await OneBroker()
        try one.fill(["0", "1", "2", "3"], codec: .zstd)
        try one.fill(["4", "5"])
        let consumer = try Consumer(one.client)
        let messages = consumer.messages(topic: "orders", from: .offset(2), until: .currentEnd)
        var offsets: [Int64] = []
        for try await record in messages { offsets.append(record.offset) }
        #expect(offsets == [2, 3, 4, 5])
        try await one.broker.stop()
    }

    @Test("the end is where each partition ended at the start, and an empty topic ends at once")
    func ends() async throws {
        let one = try await OneBroker(partitions: 3)
        let consumer = try Consumer(one.client)
        #expect(try await values(consumer.messages(topic: "orders", from: .beginning, until: .currentEnd)).isEmpty)
        try one.fill(["a", "b"], partition: 0)
        try one.fill(["c"], partition: 2)
        let messages = consumer.messages(topic: "orders", from: .beginning, until: .currentEnd)
        #expect(try await Set(values(messages)) == ["a", "b", "c"])
        let some = consumer.messages(topic: "orders", partitions: [2], from: .beginning, until: .currentEnd)
        #expect(try await values(some) == ["c"])
        try await one.broker.stop()
    }

    @Test("from the end only what comes later is read")
    func tail() async throws {
        let one = try await OneBroker()
        try one.fill(["old"])
        let topic = one.topic
        let isAsked = Mutex(false)
        // Stands for a producer that comes after the consumer.
        one.broker.update {
            $0.fetch = { request in
                let isFirst = isAsked.withLock { value in
                    defer { value = true }
                    return !value
                }
                if isFirst { try? one.fill(["new"]) }
                return .answer(topic.fetch(request))
            }
        }
        let consumer = try Consumer(one.client)
        #expect(try await values(consumer.messages(topic: "orders", from: .end), first: 1) == ["new"])
        try await one.broker.stop()
    }

    @Test("an offset outside the log follows the policy")
    func outOfRange() async throws {
        let one = try await OneBroker()
        try one.fill(["a", "b"])
        var configuration = ConsumerConfiguration()
        configuration.outOfRange = .beginning
        let lenient = try Consumer(one.client, configuration)
        #expect(try await values(lenient.messages(topic: "orders", from: .offset(99)), first: 2) == ["a", "b"])
        configuration.outOfRange = .fail
        let strict = try Consumer(one.client, configuration)
        let error = await #expect(throws: KafkaClientError.self) {
            try await values(strict.messages(topic: "orders", from: .offset(99)))
        }
        #expect(error?.brokerError == .offsetOutOfRange)
        try await one.broker.stop()
    }

    @Test("damaged records are an error, not garbage")
    func damage() async throws {
        let one = try await OneBroker()
        try one.fill(["fine"])
        try one.fill(["broken"])
        one.topic.update(0) { partition in
            var bytes = partition.batches[1].bytes
            bytes.setInteger(0xFF as UInt8, at: bytes.writerIndex - 2)
            if let batch = try? RecordBatch(bytes) { partition.batches[1] = batch }
        }
        let consumer = try Consumer(one.client)
        var iterator = consumer.messages(topic: "orders", from: .beginning).makeAsyncIterator()
        #expect(try await iterator.next()?.offset == 0)
        do {
            _ = try await iterator.next()
            Issue.record("the damaged batch was given out")
        } catch {
            #expect(error.code == .invalidResponse)
        }
        try await one.broker.stop()
    }

    @Test("when the leader changes, reading goes on at the new one without loss or repetition")
    func leaderChange() async throws {
        let one = try await OneBroker()
        let other = try await ScriptedBroker.start()
        let topic = one.topic
        let brokers: [Int32: BrokerAddress] = [0: one.broker.address, 1: other.address]
        for value in 0..<6 { try one.fill(["\(value)"]) }
        let fetches = Mutex(0)
        one.broker.update {
            $0.metadata = { _ in topic.metadata(brokers) }
            $0.fetch = { request in
                let number = fetches.withLock { count in
                    count += 1
                    return count
                }
                guard number > 3 else { return .answer(topic.fetch(request, batches: 1)) }
                topic.update(0) {
                    $0.leader = 1
                    $0.leaderEpoch = 2
                }
                var response = topic.fetch(request)
                for topic in response.topics.indices {
                    for partition in response.topics[topic].partitions.indices {
                        response.topics[topic].partitions[partition].errorCode = .notLeaderOrFollower
                        response.topics[topic].partitions[partition].records = Records()
                    }
                }
                return .answer(response)
            }
        }
        other.update {
            $0.metadata = { _ in topic.metadata(brokers) }
            $0.fetch = { request in .answer(topic.fetch(request)) }
        }
        let consumer = try Consumer(one.client)
        let read = try await values(consumer.messages(topic: "orders", from: .beginning), first: 6)
        #expect(read == ["0", "1", "2", "3", "4", "5"])
        #expect(!other.versions(of: .fetch).isEmpty)
        try await one.broker.stop()
        try await other.stop()
    }

    @Test("nothing more is fetched while enough waits to be consumed")
    func prefetchBound() async throws {
        let one = try await OneBroker()
        let topic = one.topic
        one.broker.update { $0.fetch = { request in .answer(topic.fetch(request, batches: 1)) } }
        for value in 0..<50 { try one.fill(["\(value)"]) }
        var configuration = ConsumerConfiguration()
        configuration.prefetchBytes = 1
        let consumer = try Consumer(one.client, configuration)
        var iterator = consumer.messages(topic: "orders", from: .beginning, until: .currentEnd).makeAsyncIterator()
        for consumed in 1...50 {
            #expect(try await iterator.next()?.offset == Int64(consumed - 1))
            // One that is being consumed, one that waits and one on its way.
            #expect(one.broker.versions(of: .fetch).count <= consumed + 2)
        }
        #expect(try await iterator.next() == nil)
        try await one.broker.stop()
    }

    @Test("batches come whole")
    func batches() async throws {
        let one = try await OneBroker()
        try one.fill(["a", "b", "c"], codec: .snappy)
        try one.fill(["d"])
        let consumer = try Consumer(one.client)
        var iterator = consumer.messages(topic: "orders", from: .beginning, until: .currentEnd).makeAsyncIterator()
        #expect(try await iterator.next()?.offset == 0)
        #expect(try await iterator.nextBatch()?.map(\.offset) == [1, 2])
        #expect(try await iterator.nextBatch()?.map(\.offset) == [3])
        #expect(try await iterator.nextBatch() == nil)
        try await one.broker.stop()
    }

    @Test("closing the consumer, and cancelling the task, end the sequence")
    func endings() async throws {
        let one = try await OneBroker()
        one.broker.update { $0.fetch = { _ in .silence } }
        let consumer = try Consumer(one.client)
        let cancelled = Task { try await values(consumer.messages(topic: "orders", from: .beginning)) }
        try await one.broker.received(.fetch, count: 1)
        cancelled.cancel()
        #expect(try await cancelled.value.isEmpty)
        let closed = Task { try await values(consumer.messages(topic: "orders", from: .beginning)) }
        try await one.broker.received(.fetch, count: 2)
        consumer.close()
        #expect(try await closed.value.isEmpty)
        try await consumer.run()
        try await one.broker.stop()
    }

    @Test("a topic that does not exist is an error")
    func unknownTopic() async throws {
        let one = try await OneBroker()
        let consumer = try Consumer(one.client)
        let error = await #expect(throws: KafkaClientError.self) {
            try await values(consumer.messages(topic: "other", from: .beginning))
        }
        #expect(error?.code == .unknownTopic)
        try await one.broker.stop()
    }
}
