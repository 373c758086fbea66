import ArgumentParser
import Foundation
import KafkaWire
import MartletClient

/// `martlet bench`: measures a cluster, or this machine.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure throughput and latency.",
        discussion: """
            The client prepares its batches before it measures and costs little itself; with two or more brokers and \
            the client on one machine they still share its cores and its disk.

            Examples:
              martlet bench produce --connections 4 --record-size 1024 --batch-bytes 65536 --duration 30
              martlet bench consume --connections 2
              martlet bench e2e --connections 1
              martlet bench limits --dir ./martlet-data
            """,
        subcommands: [
            BenchProduceCommand.self, BenchConsumeCommand.self, BenchEndToEndCommand.self, BenchLimitsCommand.self,
        ]
    )
}

/// What all measurements of a cluster have in common.
struct BenchOptions: ParsableArguments, Sendable {
    @Option(name: .shortAndLong, help: "The topic; created if it does not exist.")
    var topic = "bench"

    @Option(help: "Partitions of the topic when it is created (default: one for each connection).")
    var partitions: Int32?

    @Option(help: "Replicas of the topic when it is created (default: the broker's).")
    var replicas: Int16?

    @Option(name: .shortAndLong, help: "Connections, each to one leader.")
    var connections = 1

    @Option(help: "Threads of the client.")
    var threads = 1

    @Option(help: "A broker's process id, to report its CPU and memory. May be repeated. (default: found by port)")
    var brokerPid: [Int32] = []

    @Option(help: "Measure the machine's own limits too, writing into this directory, and report our share of them.")
    var limitsDir: String?

    @Flag(help: "Print the result as a JSON object.")
    var json = false

    @OptionGroup var client: ClientOptions

    func validate() throws {
        try Self.check("--connections", connections, 1...10_000)
        try Self.check("--threads", threads, 1...256)
        if let partitions { try Self.check("--partitions", Int(partitions), 1...100_000) }
    }

    static func check(_ option: String, _ value: Int, _ allowed: ClosedRange<Int>) throws {
        guard allowed.contains(value) else {
            throw ValidationError("\(option) must be between \(allowed.lowerBound) and \(allowed.upperBound)")
        }
    }
}

/// The records that the producing measurements send.
struct BenchRecordOptions: ParsableArguments, Sendable {
    @Option(name: .shortAndLong, help: "Bytes of a record's value.")
    var recordSize = 1_024

    @Option(name: [.customShort("z"), .long], help: "Compression of the batches.")
    var codec = CodecOption.none

    @Option(help: "Acknowledge: 0 never, 1 when the leader has the records, all when all in-sync replicas have them.")
    var acks = AcksOption.all

    @Option(help: "Values that do not compress (random) or do as real ones would (json).")
    var payload = PayloadKind.json

    @Option(help: "Seed of the values.")
    var seed: UInt64 = 1

    func validate() throws {
        try BenchOptions.check("--record-size", recordSize, 1...64 * 1_024 * 1_024)
    }
}
