import KafkaWire
import NIOCore
import Synchronization
import Testing

@testable import MartletClient

@Suite("Producer", .timeLimit(.minutes(1)))
struct ProducerTests {
    @Test("a record is stored and its place told")
    func send() async throws {
        let one = try await OneBroker()
        let places = try await withProducer(one.client) { producer in
            [
                try await producer.send(ProducerRecord(topic: "orders", key: "k", value: "first")),
                try await producer.send(ProducerRecord(topic: "orders", value: "second")),
            ]
        }
        #expect(places.map(\.offset) == [0, 1])
        #expect(places.map(\.partition) == [0, 0])
        #expect(try one.topic.values(0) == ["first", "second"])
        try await one.broker.stop()
    }

    @Test("records enqueued one after the other share batches and keep their order", arguments: Codec.allCases)
    func order(codec: Codec) async throws {
        let one = try await OneBroker()
        var configuration = ProducerConfiguration()
        configuration.codec = codec
        configuration.batchBytes = 2_000
        let values = (0..<2_000).map { "value \($0)" }
        let last = try await withProducer(one.client, configuration) { producer in
            var last: Delivery?
            for value in values { last = try await producer.enqueue(ProducerRecord(topic: "orders", value: value)) }
            try await producer.flush()
            return try await last?.metadata
        }
        #expect(last?.offset == 1_999)
        #expect(try one.topic.values(0) == values)
        #expect(one.topic.batchCount(0) < 200)
        try await one.broker.stop()
    }

    /// What goes wrong with each fifth Produce request.
    enum Fault: CaseIterable {
        case storedButConnectionLost, lostBeforeStoring, notLeader, retriableError
    }

    @Test("whatever fails on the way, each record is stored once and in order", arguments: Fault.allCases)
    func faults(fault: Fault) async throws {
        let one = try await OneBroker(partitions: 2)
        let topic = one.topic
        let count = Mutex(0)
        one.broker.update {
            $0.produce = { request in
                let number = count.withLock { count in
                    count += 1
                    return count
                }
                guard number % 5 == 2 else { return .answer(topic.produce(request)) }
                switch fault {
                case .storedButConnectionLost:
                    _ = topic.produce(request)
                    return .close
                case .lostBeforeStoring: return .close
                case .notLeader: return .answer(FakeTopic.response(request) { _, _ in (.notLeaderOrFollower, -1) })
                case .retriableError: return .answer(FakeTopic.response(request) { _, _ in (.notEnoughReplicas, -1) })
                }
            }
        }
        var configuration = ProducerConfiguration()
        configuration.batchBytes = 500
        let values = (0..<1_000).map { "\($0)" }
        try await withProducer(one.client, configuration) { producer in
            for (index, value) in values.enumerated() {
                var record = ProducerRecord(topic: "orders", value: value)
                record.partition = Int32(index % 2)
                try await producer.enqueue(record)
            }
            try await producer.flush()
        }
        #expect(try topic.values(0) == values.enumerated().filter { $0.offset % 2 == 0 }.map(\.element))
        #expect(try topic.values(1) == values.enumerated().filter { $0.offset % 2 == 1 }.map(\.element))
        #expect(count.withLock { $0 } > 2)
        try await one.broker.stop()
    }

    @Test("the successor that a former leader names is asked at once, without new metadata")
    func leaderHint() async throws {
        let one = try await OneBroker()
        let other = try await ScriptedBroker.start()
        let topic = one.topic
        let successor = other.address
        other.update {
            $0.metadata = { _ in topic.metadata([0: one.broker.address, 1: successor]) }
            $0.produce = { request in .answer(topic.produce(request)) }
        }
        one.broker.update {
            $0.produce = { request in
                var response = FakeTopic.response(request) { _, _ in (.notLeaderOrFollower, -1) }
                for topic in response.topics.indices {
                    for partition in response.topics[topic].partitions.indices {
                        response.topics[topic].partitions[partition].currentLeader.leaderID = 1
                        response.topics[topic].partitions[partition].currentLeader.leaderEpoch = 2
                    }
                }
                response.nodeEndpoints = [
                    .init {
                        $0.nodeID = 1
                        $0.host = successor.host
                        $0.port = Int32(successor.port)
                    }
                ]
                return .answer(response)
            }
        }
        let place = try await withProducer(one.client) { producer in
            try await producer.send(ProducerRecord(topic: "orders", value: "x"))
        }
        #expect(place.offset == 0)
        #expect(one.broker.versions(of: .produce).count == 1)
        #expect(other.versions(of: .produce).count == 1)
        try await one.broker.stop()
        try await other.stop()
    }

    @Test("a silent broker is left after the request timeout, and the record is sent again")
    func silence() async throws {
        let one = try await OneBroker()
        let topic = one.topic
        let isFirst = Mutex(true)
        one.broker.update {
            $0.produce = { request in
                let isSilent = isFirst.withLock { value in
                    defer { value = false }
                    return value
                }
                return isSilent ? .silence : .answer(topic.produce(request))
            }
        }
        var client = one.client
        client.requestTimeout = .milliseconds(200)
        try await withProducer(client) { producer in
            _ = try await producer.send(ProducerRecord(topic: "orders", value: "x"))
        }
        #expect(try topic.values(0) == ["x"])
        #expect(one.broker.versions(of: .produce).count >= 2)
        try await one.broker.stop()
    }

    @Test("a record that nobody acknowledges fails after the delivery timeout, and it is told if it may be stored")
    func deliveryTimeout() async throws {
        let one = try await OneBroker()
        one.broker.update { $0.produce = { _ in .close } }
        var configuration = ProducerConfiguration()
        configuration.deliveryTimeout = .milliseconds(500)
        let error = try await withProducer(one.client, configuration) { producer in
            await #expect(throws: KafkaClientError.self) {
                try await producer.send(ProducerRecord(topic: "orders", value: "x"))
            }
        }
        #expect(error?.mayHaveBeenStored == !one.broker.versions(of: .produce).isEmpty)
        try await one.broker.stop()
    }

    @Test("a refused record fails by itself, and those behind it are stored")
    func refusal() async throws {
        let one = try await OneBroker()
        let topic = one.topic
        one.broker.update {
            $0.produce = { request in
                let bytes = request.topics[0].partitions[0].records
                let isLarge = (bytes?.readableBytes ?? 0) > 1_000
                return .answer(
                    isLarge
                        ? FakeTopic.response(request) { _, _ in (.messageTooLarge, -1) } : topic.produce(request))
            }
        }
        var configuration = ProducerConfiguration()
        configuration.batchBytes = 100
        try await withProducer(one.client, configuration) { producer in
            try await producer.enqueue(ProducerRecord(topic: "orders", value: "before"))
            let large = try await producer.enqueue(
                ProducerRecord(topic: "orders", value: String(repeating: "x", count: 2_000)))
            let after = try await producer.enqueue(ProducerRecord(topic: "orders", value: "after"))
            let error = await #expect(throws: KafkaClientError.self) { try await large.metadata }
            #expect(error?.brokerError == .messageTooLarge)
            #expect(try await after.metadata.offset == 1)
            let flushed = await #expect(throws: KafkaClientError.self) { try await producer.flush() }
            #expect(flushed?.brokerError == .messageTooLarge)
            try await producer.flush()
        }
        #expect(try topic.values(0) == ["before", "after"])
        try await one.broker.stop()
    }

    @Test("a full buffer suspends the sender until something is acknowledged")
    func backPressure() async throws {
        let one = try await OneBroker()
        var configuration = ProducerConfiguration()
        configuration.batchBytes = 1_000
        configuration.requestBytes = 1_024
        configuration.bufferBytes = 2_000
        let values = (0..<500).map { "value \($0)" }
        try await withProducer(one.client, configuration) { producer in
            for value in values { try await producer.enqueue(ProducerRecord(topic: "orders", value: value)) }
        }
        #expect(try one.topic.values(0) == values)
        try await one.broker.stop()
    }

    @Test("without acknowledgement records are sent without waiting for an answer")
    func unacknowledged() async throws {
        let one = try await OneBroker()
        let topic = one.topic
        one.broker.update {
            $0.produce = { request in
                _ = topic.produce(request)
                return .nothing
            }
        }
        var configuration = ProducerConfiguration()
        configuration.acknowledgement = .none
        let place = try await withProducer(one.client, configuration) { producer in
            try await producer.send(ProducerRecord(topic: "orders", value: "x"))
        }
        #expect(place.offset == nil)
        // The broker reads the bytes that were on their way before it sees the end of the connection.
        try await one.broker.received(.produce, count: 1)
        #expect(try topic.values(0) == ["x"])
        try await one.broker.stop()
    }

    @Test("a batch built before is sent as it is, under the producer's own numbers")
    func prebuilt() async throws {
        let one = try await OneBroker()
        var builder = RecordBatchBuilder(codec: .lz4)
        for value in ["a", "b"] { builder.append(key: nil, value: ByteBuffer(string: value), timestamp: 5) }
        let batch = try builder.build()
        let offsets = try await withProducer(one.client) { producer in
            [
                try await producer.send(batch: batch, to: TopicPartition("orders", 0)).offset,
                try await producer.send(batch: batch, to: TopicPartition("orders", 0)).offset,
            ]
        }
        #expect(offsets == [0, 2])
        #expect(try one.topic.values(0) == ["a", "b", "a", "b"])
        try await one.broker.stop()
    }

    @Test("a producer that was never run fails its records when it is closed")
    func neverRun() async throws {
        let one = try await OneBroker()
        let producer = try Producer(one.client)
        let delivery = try await producer.enqueue(ProducerRecord(topic: "orders", value: "x"))
        await producer.close()
        await #expect(throws: KafkaClientError.closed) { try await delivery.metadata }
        await #expect(throws: KafkaClientError.closed) {
            try await producer.enqueue(ProducerRecord(topic: "orders", value: "y"))
        }
        try await one.broker.stop()
    }

    @Test("a cancelled run gives up what is not acknowledged")
    func cancelledRun() async throws {
        let one = try await OneBroker()
        one.broker.update { $0.produce = { _ in .silence } }
        let producer = try Producer(one.client)
        let running = Task { try await producer.run() }
        let delivery = try await producer.enqueue(ProducerRecord(topic: "orders", value: "x"))
        try await one.broker.received(.produce, count: 1)
        running.cancel()
        await #expect(throws: KafkaClientError.self) { try await delivery.metadata }
        try await running.value
        try await one.broker.stop()
    }

    @Test("a broker without idempotent producers ends the run with a clear error")
    func noIdempotence() async throws {
        let one = try await OneBroker()
        one.broker.update { $0.versions[.initProducerID] = nil }
        let producer = try Producer(one.client)
        let running = Task { try await producer.run() }
        await #expect(throws: KafkaClientError.self) {
            try await producer.send(ProducerRecord(topic: "orders", value: "x"))
        }
        let error = await #expect(throws: KafkaClientError.self) { try await running.value }
        #expect(error?.code == .unsupportedVersion)
        try await one.broker.stop()
    }

    @Test("a second run is refused")
    func secondRun() async throws {
        let one = try await OneBroker()
        try await withProducer(one.client) { producer in
            _ = try await producer.send(ProducerRecord(topic: "orders", value: "x"))
            let error = await #expect(throws: KafkaClientError.self) { try await producer.run() }
            #expect(error?.code == .invalidArgument)
        }
        try await one.broker.stop()
    }

    @Test("settings outside their bounds are refused")
    func settings() {
        for change in [
            { $0.batchBytes = 0 }, { $0.requestsInFlight = 6 }, { $0.bufferBytes = 10 },
        ] as [@Sendable (inout ProducerConfiguration) -> Void] {
            var configuration = ProducerConfiguration()
            change(&configuration)
            #expect(throws: KafkaClientError.self) {
                try Producer(KafkaClientConfiguration(bootstrapServers: []), configuration)
            }
        }
    }
}
