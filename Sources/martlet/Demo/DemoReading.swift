import Basics
import MartletClient
import NIOCore

/// Reads every partition from its start and holds each record against the ledger.
struct DemoReading: Sendable {
    struct Outcome: Sendable {
        var records = 0
        var bytes = 0
        /// Acknowledged and not found.
        var missing = 0
        /// Found where another record, or none, was acknowledged.
        var unexpected = 0
        /// Offsets that did not follow each other.
        var disorder = 0
    }

    private let client: KafkaClientConfiguration
    private let written: DemoLedger.Contents

    init(_ client: KafkaClientConfiguration, _ written: DemoLedger.Contents) {
        self.client = client
        self.written = written
    }

    func run() async throws -> Outcome {
        try await withThrowingTaskGroup(of: Outcome.self) { group in
            for partition in written.fingerprints.indices {
                group.addTask { try await read(partition) }
            }
            return try await group.reduce(into: Outcome()) { sum, one in
                sum.records += one.records
                sum.bytes += one.bytes
                sum.missing += one.missing
                sum.unexpected += one.unexpected
                sum.disorder += one.disorder
            }
        }
    }

    private func read(_ partition: Int) async throws -> Outcome {
        let expected = written.fingerprints[partition]
        var outcome = Outcome()
        var next: Int64 = 0
        let consumer = try Consumer(client)
        let messages = consumer.messages(
            topic: DemoStory.topic, partitions: [Int32(partition)], from: .beginning, until: .currentEnd)
        for try await record in messages {
            if record.offset != next { outcome.disorder += 1 }
            next = record.offset + 1
            outcome.records += 1
            let value = record.value ?? ByteBuffer()
            outcome.bytes += value.readableBytes
            let offset = Int(record.offset)
            if offset >= expected.count || expected[offset] != DemoLedger.fingerprint(value) { outcome.unexpected += 1 }
        }
        outcome.missing = max(0, expected.count - Int(next))
        return outcome
    }
}
