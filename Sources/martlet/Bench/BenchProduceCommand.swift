import ArgumentParser
import Basics
import Foundation
import KafkaWire
import MartletClient
import NIOCore

/// `martlet bench produce`.
struct BenchProduceCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "produce",
        abstract: "Measure how fast records are taken.",
        discussion: """
            Each connection keeps --in-flight requests of one batch under way. Latency is from writing a request to \
            its answer. Batches are built beforehand; --batch-bytes counts values before compression.

            With --rate, batches are sent at even distances, whether or not earlier ones are answered, up to \
            --in-flight. Latency then is from when a request was due, so that one which had to wait counts in full.

            Examples:
              martlet bench produce --connections 4 --batch-bytes 65536 --in-flight 5
              martlet bench produce --record-size 200 --payload random --records 10000000 --json
              martlet bench produce --connections 8 --rate 500000 --in-flight 1000
            """
    )

    @Option(help: "Bytes of values in a batch.")
    var batchBytes = 65_536

    @Option(help: "Requests under way on each connection.")
    var inFlight = 5

    @Option(help: "Records per second of all connections together (default: as many as are taken).")
    var rate: Double?

    @Option(name: [.customShort("d"), .long], help: "Seconds to measure.")
    var duration = 10.0

    @Option(
        name: [.customShort("n"), .customLong("records")],
        help: "Stop after this many records, whatever the time; without warm-up.")
    var recordCount: Int?

    @Option(help: "Seconds before the measurement.")
    var warmup = 2.0

    @Option(help: "Different batches to rotate over.")
    var pool = 64

    @OptionGroup var records: BenchRecordOptions
    @OptionGroup var bench: BenchOptions

    func validate() throws {
        try BenchOptions.check("--batch-bytes", batchBytes, 1...64 * 1_024 * 1_024)
        try BenchOptions.check("--in-flight", inFlight, 1...100_000)
        try BenchOptions.check("--pool", pool, BatchPool.countMinimum...65_536)
        guard rate ?? 1 > 0 else { throw ValidationError("--rate must be more than 0") }
        guard duration > 0, warmup >= 0 else { throw ValidationError("--duration and --warmup cannot be negative") }
    }

    func execute() async throws {
        let acks = records.acks.acknowledgement.rawValue
        let pool = try BatchPool(
            records.payload, recordBytes: records.recordSize, batchBytes: batchBytes, codec: records.codec.codec,
            count: pool, seed: records.seed, timestamp: Int64(Date().timeIntervalSince1970 * 1_000))
        let largest = pool.batches.map(\.bytes.readableBytes).max() ?? 0
        let target = try await withAdmin(bench.client) { try await BenchTarget(bench, $0, batchBytes: largest) }
        let frames = try pool.batches.map { try ProduceFrame($0, topic: target.topic, acks: acks) }
        let budget = RecordBudget(recordCount)
        let shares = target.shares(connections: bench.connections)
        let run = LoadRun(
            target: target, shares: shares, threads: bench.threads,
            warmup: .seconds(recordCount == nil ? warmup : 0), duration: recordCount == nil ? .seconds(duration) : nil)
        let records = frames[0].records
        let start = NIODeadline.now()
        let result = try await run.run { [inFlight, rate] job in
            let pace = rate.map { rate in
                LoadPace(
                    start: start, interval: Double(records * shares.count) / rate * 1e9, connection: job.number,
                    of: shares.count)
            }
            return LoadConnection.run(job, depth: inFlight, pace: pace) {
                ProduceSource(
                    frames: frames, partitions: job.share.partitions, topic: target.topic, acks: acks,
                    start: job.number * frames.count / shares.count, budget: budget)
            }
        }
        let limits = try await bench.measureLimits()
        let report = BenchReport("produce", settings(target, pool), result, limits: limits)
        print(bench.json ? try JSONOutput.line(report) : report.text)
    }

    private func settings(_ target: BenchTarget, _ pool: BatchPool) -> [(String, String)] {
        let pace = rate.map { [("rate", $0.fixed(0))] } ?? []
        return pace + [
            ("connections", "\(bench.connections)"), ("in-flight", "\(inFlight)"),
            ("partitions", "\(target.leaders.count)"), ("record-size", "\(records.recordSize)"),
            ("batch-bytes", "\(batchBytes)"), ("codec", records.codec.rawValue), ("ratio", pool.ratio.fixed(2)),
            ("acks", records.acks.rawValue), ("payload", records.payload.rawValue),
        ]
    }
}

extension BenchOptions {
    /// After the measurement, so that neither disturbs the other.
    func measureLimits() async throws -> MachineLimits? {
        guard let limitsDir else { return nil }
        return try await MachineLimits.measure(directory: limitsDir, seconds: 1)
    }
}
