import ArgumentParser
import Foundation
import Logging

/// `martlet demo`: three brokers on this machine, a leader killed in the middle, and nothing lost.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Watch three brokers replicate, lose their leader, and lose nothing.",
        discussion: """
            Starts three brokers as processes of their own, writes events to a topic of three partitions, kills the \
            leader with SIGKILL half-way and starts it again, reads everything back, and compares the three logs block \
            by block. Exit status 1 if a single acknowledged record is missing, doubled or out of order.

              martlet demo
              martlet demo --input events.jsonl --producers 8
            """
    )

    @Option(help: ArgumentHelp("Records to write, one a line; without it, generated events.", valueName: "file"))
    var input: String?

    @Option(help: "Number of generated events.")
    var records = 1_000_000

    @Option(help: "Seed of the generated events.")
    var seed: UInt64 = 1

    @Option(help: "Number of concurrent producers.")
    var producers = 4

    @Option(help: "Number of partitions.")
    var partitions = 3

    @Option(help: "Where the brokers keep their data; must not exist yet.")
    var directory = "martlet-demo"

    @Flag(help: "Keep the brokers' data and logs.")
    var keep = false

    func validate() throws {
        guard records >= 1_000, producers >= 1, producers <= 64, partitions >= 1, partitions <= 1_000 else {
            throw ValidationError("needs at least 1000 records, 1 to 64 producers, 1 to 1000 partitions")
        }
    }

    func run() async throws {
        LoggingSystem.bootstrap { _ in SwiftLogNoOpLogHandler() }
        let isFaultless = try await Task.detached { [self] in try await runDemo() }.value
        guard isFaultless else { throw ExitCode(1) }
    }

    private func runDemo() async throws -> Bool {
        let corpus = try input.map(DemoCorpus.init(file:)) ?? DemoCorpus(generated: records, seed: seed)
        let cluster = try DemoCluster(directory: directory)
        defer { cluster.tearDown(keep: keep) }
        let story = DemoStory(corpus: corpus, cluster: cluster, producerCount: producers, partitionCount: partitions)
        do {
            let report = try await story.run()
            report.print(keptIn: keep ? directory : nil)
            return report.isFaultless
        } catch {
            DemoConsole.line("The demo failed: \(error)")
            cluster.printLogs()
            return false
        }
    }
}
