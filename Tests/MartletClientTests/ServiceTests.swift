import Logging
import NIOCore
import ServiceLifecycle
import Testing

@testable import MartletClient

@Suite("Service lifecycle", .timeLimit(.minutes(1)))
struct ServiceTests {
    @Test("a graceful shutdown delivers what was enqueued and ends producer and consumer")
    func shutdown() async throws {
        let one = try await OneBroker()
        let producer = try Producer(one.client)
        let consumer = try Consumer(one.client)
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: [producer, consumer], logger: logger))
        let running = Task { try await group.run() }
        let values = (0..<100).map { "\($0)" }
        for value in values { try await producer.enqueue(ProducerRecord(topic: "orders", value: value)) }
        let reading = Task {
            var count = 0
            for try await _ in consumer.messages(topic: "orders", from: .beginning) { count += 1 }
            return count
        }
        await group.triggerGracefulShutdown()
        try await running.value
        #expect(try one.topic.values(0) == values)
        #expect(try await reading.value <= 100)
        try await one.broker.stop()
    }
}
