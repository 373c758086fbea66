import ArgumentParser
import Foundation
import MartletClient

/// `martlet bench e2e`.
struct BenchEndToEndCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "e2e",
        abstract: "Measure the time from sending a record to receiving it.",
        discussion: """
            Each connection has a partition of its own: a producer with one record under way, and a consumer that \
            waits for it. The next record is sent when the last one was received and acknowledged.

            Examples:
              martlet bench e2e
              martlet bench e2e --connections 8 --record-size 100 --duration 30 --json
            """
    )

    @Option(name: [.customShort("d"), .long], help: "Seconds to measure.")
    var duration = 10.0

    @Option(help: "Seconds before the measurement.")
    var warmup = 1.0

    @OptionGroup var records: BenchRecordOptions
    @OptionGroup var bench: BenchOptions

    func validate() throws {
        guard duration > 0, warmup >= 0 else { throw ValidationError("--duration and --warmup cannot be negative") }
        guard records.acks != .zero else { throw ValidationError("--acks 0 has nothing to wait for; choose 1 or all") }
    }

    func execute() async throws {
        let acks = records.acks.acknowledgement.rawValue
        let (target, ends) = try await withAdmin(bench.client) { admin in
            let target = try await BenchTarget(bench, admin, partitionsMinimum: bench.connections)
            let partitions = target.leaders.indices.map { TopicPartition(target.topic, Int32($0)) }
            return (target, try await admin.offsets(of: partitions, at: .end))
        }
        let pool = try BatchPool(
            records.payload, recordBytes: records.recordSize, batchBytes: records.recordSize,
            codec: records.codec.codec,
            count: BatchPool.countMinimum, seed: records.seed, timestamp: Int64(Date().timeIntervalSince1970 * 1_000))
        let frames = try pool.batches.map { try ProduceFrame($0, topic: target.topic, acks: acks) }
        // One partition for each pair, wherever its leader is.
        let shares = target.leaders.prefix(bench.connections).enumerated().map { partition, leader in
            BenchTarget.Share(broker: leader, partitions: [Int32(partition)])
        }
        let run = LoadRun(
            target: target, shares: shares, threads: bench.threads, warmup: .seconds(warmup),
            duration: .seconds(duration))
        let result = try await run.run { job in
            let end = ends[TopicPartition(target.topic, job.share.partitions[0])] ?? nil
            return LatencyPair.run(job, topic: target.topic, offset: end ?? 0) {
                ProduceSource(
                    frames: frames, partitions: job.share.partitions, topic: target.topic, acks: acks,
                    start: job.number, budget: RecordBudget(nil))
            }
        }
        let limits = try await bench.measureLimits()
        let settings = [
            ("connections", "\(bench.connections)"), ("record-size", "\(records.recordSize)"),
            ("codec", records.codec.rawValue), ("acks", records.acks.rawValue), ("payload", records.payload.rawValue),
        ]
        let report = BenchReport("e2e", settings, result, limits: limits)
        print(bench.json ? try JSONOutput.line(report) : report.text)
    }
}
