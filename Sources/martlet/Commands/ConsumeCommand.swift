import ArgumentParser
import Foundation
import MartletClient
import NIOCore

/// `martlet consume`.
struct ConsumeCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "consume",
        abstract: "Print a topic's records.",
        discussion: """
            Prints what is there and waits for more, until interrupted.

            --format takes %k key, %v value, %o offset, %p partition, %t topic, %T timestamp (ms), %h headers, %%, and \
            \\n, \\t, \\\\.

            Examples:
              martlet consume orders -e
              martlet consume orders --from end --json
              martlet consume orders --from @2026-11-01T00:00:00Z -n 10 --format '%p/%o %k: %v\\n'
            """
    )

    @Argument(help: "The topic.")
    var topic: String

    @Option(help: "beginning, end, an OFFSET, or @TIME: milliseconds since 1970 or ISO 8601.")
    var from = StartOption(start: .beginning)

    @Option(name: [.customShort("n"), .long], help: "Exit after this many records.")
    var count: Int?

    @Option(name: .shortAndLong, help: "Only this partition. May be repeated.")
    var partition: [Int32] = []

    @Flag(name: [.customShort("e"), .long], help: "Exit at the end that the topic has now.")
    var exitAtEnd = false

    @Option(help: "How to print a record (default: '%v\\n').")
    var format: String?

    @Flag(help: "Print each record as a JSON object on a line.")
    var json = false

    @OptionGroup var client: ClientOptions

    func validate() throws {
        if let count, count < 1 { throw ValidationError("--count must be at least 1") }
        if json && format != nil { throw ValidationError("choose one of --json and --format") }
        _ = try RecordFormat(format ?? "")
    }

    func execute() async throws {
        var configuration = ConsumerConfiguration()
        // Who names an offset wants that one, and not another in its place.
        if case .offset = from.start { configuration.outOfRange = .fail }
        let consumer = try Consumer(try client.client(), configuration)
        defer { consumer.close() }
        let messages = consumer.messages(
            topic: topic, partitions: partition.isEmpty ? nil : partition, from: from.start,
            until: exitAtEnd ? .currentEnd : .never)
        let format = try RecordFormat(format ?? "%v\\n")
        var left = count ?? .max
        var iterator = messages.makeAsyncIterator()
        while left > 0, let batch = try await iterator.nextBatch() {
            var output = ByteBuffer()
            for record in batch.prefix(left) {
                if json {
                    RecordJSON.writeLine(record, to: &output)
                } else {
                    format.write(record, to: &output)
                }
            }
            left -= min(left, batch.count)
            // Whoever read our output has gone, as `head` does: there is nothing left to do.
            guard try await StandardStreams.write(output) else { return }
        }
    }
}

/// The value of `--from`.
struct StartOption: ExpressibleByArgument, CustomStringConvertible, Hashable, Sendable {
    var start: ConsumerStart

    init(start: ConsumerStart) {
        self.start = start
    }

    init?(argument: String) {
        switch argument {
        case "beginning": start = .beginning
        case "end": start = .end
        default:
            if argument.hasPrefix("@") {
                guard let time = Self.milliseconds(String(argument.dropFirst())) else { return nil }
                start = .timestamp(time)
            } else {
                guard let offset = Int64(argument), offset >= 0 else { return nil }
                start = .offset(offset)
            }
        }
    }

    private static func milliseconds(_ text: String) -> Int64? {
        if let time = Int64(text) { return time >= 0 ? time : nil }
        guard let date = try? Date(text, strategy: .iso8601) else { return nil }
        return Int64(date.timeIntervalSince1970 * 1_000)
    }

    var description: String {
        switch start {
        case .beginning: "beginning"
        case .end: "end"
        case .offset(let offset): "\(offset)"
        case .timestamp(let time): "@\(time)"
        }
    }
}
