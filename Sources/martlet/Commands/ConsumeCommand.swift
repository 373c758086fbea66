import ArgumentParser
import Foundation
import MartletClient
import NIOCore
import UnixSignals

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
              martlet consume orders --group billing
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

    @Option(
        name: [.customShort("g"), .long],
        help: "Read as a member of this group, going on where it stopped; --from counts for its first time.")
    var group: String?

    @Flag(name: [.customShort("e"), .long], help: "Exit at the end that the topic has now.")
    var exitAtEnd = false

    @Option(help: "How to print a record (default: '%v\\n').")
    var format: String?

    @Flag(help: "Print each record as a JSON object on a line.")
    var json = false

    @OptionGroup var client: ClientOptions

    func validate() throws {
        if let count, count < 1 { throw ValidationError("--count must be at least 1") }
        if group != nil {
            guard group?.isEmpty == false else { throw ValidationError("--group must not be empty") }
            guard !exitAtEnd, partition.isEmpty else {
                throw ValidationError("--group reads what the group is given; leave out --exit-at-end and --partition")
            }
            guard from.start == .beginning || from.start == .end else {
                throw ValidationError("with --group, --from is beginning or end")
            }
        }
        if json && format != nil { throw ValidationError("choose one of --json and --format") }
        _ = try RecordFormat(format ?? "")
    }

    func execute() async throws {
        if let group { return try await consume(in: group) }
        var configuration = ConsumerConfiguration()
        // Who names an offset wants that one, and not another in its place.
        if case .offset = from.start { configuration.outOfRange = .fail }
        let consumer = try Consumer(try client.client(), configuration)
        defer { consumer.close() }
        let messages = consumer.messages(
            topic: topic, partitions: partition.isEmpty ? nil : partition, from: from.start,
            until: exitAtEnd ? .currentEnd : .never)
        var iterator = messages.makeAsyncIterator()
        var printer = try RecordPrinter(self)
        while let batch = try await printer.wantsMore ? iterator.nextBatch() : nil {
            guard try await printer.print(batch) else { return }
        }
    }

    /// As a member of a group, which it leaves when it ends or is told to.
    private func consume(in group: String) async throws {
        var configuration = GroupConsumerConfiguration()
        configuration.start = from.start == .end ? .end : .beginning
        if StandardStreams.isErrorTerminal {
            configuration.onRebalance = { event in StandardStreams.printError("\(event.text)\n") }
        }
        let consumer = try GroupConsumer(try client.client(), group: group, topics: [topic], configuration)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) { await consumer.close() }
            }
            let result = await Self.result { try await print(consumer) }
            await consumer.close()
            tasks.cancelAll()
            try result.get()
        }
    }

    private static func result(of body: () async throws -> Void) async -> Result<Void, any Error> {
        do {
            return .success(try await body())
        } catch {
            return .failure(error)
        }
    }

    private func print(_ consumer: GroupConsumer) async throws {
        var iterator = consumer.messages.makeAsyncIterator()
        var printer = try RecordPrinter(self)
        while let batch = try await printer.wantsMore ? iterator.nextBatch() : nil {
            guard try await printer.print(batch) else { break }
        }
        // What was printed and nothing else: of the last batch perhaps only some.
        if !printer.wantsMore { try await consumer.commit(printer.printed) }
    }
}

/// Prints records until it has printed enough.
struct RecordPrinter {
    private let json: Bool
    private let format: RecordFormat
    private var left: Int
    /// The offset behind the last record printed of each partition.
    private(set) var printed: [TopicPartition: Int64] = [:]

    init(_ command: ConsumeCommand) throws {
        json = command.json
        format = try RecordFormat(command.format ?? "%v\\n")
        left = command.count ?? .max
    }

    var wantsMore: Bool { left > 0 }

    /// - Returns: false when whoever read our output has gone, as `head` does: there is nothing left to do.
    mutating func print(_ batch: [ConsumerRecord]) async throws -> Bool {
        var output = ByteBuffer()
        for record in batch.prefix(left) {
            if json {
                RecordJSON.writeLine(record, to: &output)
            } else {
                format.write(record, to: &output)
            }
            printed[TopicPartition(record.topic, record.partition)] = record.offset + 1
        }
        left -= min(left, batch.count)
        return try await StandardStreams.write(output)
    }
}

extension RebalanceEvent {
    /// For a person who watches.
    fileprivate var text: String {
        switch self {
        case .assigned(let partitions): "assigned: \(Self.list(partitions))"
        case .revoked(let partitions): "revoked: \(Self.list(partitions))"
        case .lost(let partitions): "lost, the group went on without us: \(Self.list(partitions))"
        }
    }

    private static func list(_ partitions: [TopicPartition]) -> String {
        partitions.map(\.description).joined(separator: ", ")
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
