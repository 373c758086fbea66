import AllocationCounter
import ArgumentParser
import Foundation
import MicroCases

/// How many blocks of memory each micro case asks for, as a JSON object: the same on every machine, unlike times.
@main
struct MicroCounts: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "micro-counts", abstract: "Count the allocations of what is done for every batch.")

    @Option(name: .customLong("case"), help: "Only this one.")
    var name: String?
    @Option(help: "How often each is done; its figure is the mean.")
    var calls = 1_000
    @Option(help: "How often before that, to fill caches and pools.")
    var warmup = 100

    func run() throws {
        var counts: [String: Double] = [:]
        for one in MicroCase.all where name ?? one.name == one.name {
            let call = try one.prepare()
            for _ in 0..<warmup { try call() }
            let before = allocation_counter_read()
            for _ in 0..<calls { try call() }
            counts[one.name] = Double(allocation_counter_read() - before) / Double(max(1, calls))
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        print(String(decoding: try encoder.encode(counts), as: UTF8.self))
    }
}
