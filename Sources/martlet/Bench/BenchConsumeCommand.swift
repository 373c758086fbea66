import ArgumentParser
import Foundation
import MartletClient

/// `martlet bench consume`.
struct BenchConsumeCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "consume",
        abstract: "Measure how fast records are given out.",
        discussion: """
            Reads the whole topic once, or with --duration again and again. One fetch is under way on each connection; \
            latency is a fetch's. Batches are counted, but neither decompressed nor, without --verify, checked.

            Examples:
              martlet bench consume --connections 2
              martlet bench consume --duration 30 --fetch-bytes 8388608 --json
            """
    )

    @Option(help: "The most bytes of one response, and of one partition in it.")
    var fetchBytes = 1_048_576

    @Option(name: [.customShort("d"), .long], help: "Seconds to measure, starting over at the end.")
    var duration: Double?

    @Option(help: "With --duration: seconds before the measurement.")
    var warmup = 1.0

    @Flag(help: "Check the checksum of every batch.")
    var verify = false

    @OptionGroup var bench: BenchOptions

    func validate() throws {
        try BenchOptions.check("--fetch-bytes", fetchBytes, 1...1_024 * 1_024 * 1_024)
        guard warmup >= 0, duration ?? 1 > 0 else {
            throw ValidationError("--duration and --warmup cannot be negative")
        }
    }

    func execute() async throws {
        let (target, positions) = try await withAdmin(bench.client) { admin in
            let target = try await BenchTarget(bench, admin)
            return (target, try await Self.positions(target, admin))
        }
        guard positions.values.contains(where: { $0.beginning < $0.end }) else {
            throw CommandFailure(
                "topic \(target.topic) is empty",
                advice: "Fill it with 'martlet bench produce --topic \(target.topic)'.")
        }
        let shares = target.shares(connections: min(bench.connections, target.leaders.count))
        let run = LoadRun(
            target: target, shares: shares, threads: bench.threads, warmup: .seconds(duration == nil ? 0 : warmup),
            duration: duration.map { .seconds($0) })
        let repeats = duration != nil
        let result = try await run.run { [fetchBytes, verify] job in
            LoadConnection.run(job, depth: 1) {
                FetchSource(
                    topic: target.topic, positions: positions.filter { job.share.partitions.contains($0.key) },
                    fetchBytes: Int32(fetchBytes), repeats: repeats, verifies: verify)
            }
        }
        let limits = try await bench.measureLimits()
        let settings = [
            ("connections", "\(shares.count)"), ("partitions", "\(target.leaders.count)"),
            ("fetch-bytes", "\(fetchBytes)"), ("verify", "\(verify)"),
        ]
        let report = BenchReport("consume", settings, result, limits: limits)
        print(bench.json ? try JSONOutput.line(report) : report.text)
    }

    private static func positions(_ target: BenchTarget, _ admin: Admin) async throws -> [Int32: FetchSource.Position] {
        let partitions = target.leaders.indices.map { TopicPartition(target.topic, Int32($0)) }
        let beginnings = try await admin.offsets(of: partitions, at: .beginning)
        let ends = try await admin.offsets(of: partitions, at: .end)
        var positions: [Int32: FetchSource.Position] = [:]
        for partition in partitions {
            let beginning = (beginnings[partition] ?? nil) ?? 0
            positions[partition.partition] = FetchSource.Position(
                next: beginning, beginning: beginning, end: (ends[partition] ?? nil) ?? beginning)
        }
        return positions
    }
}
