import ArgumentParser
import MartletClient

/// `martlet group reset-offsets`.
struct GroupResetOffsetsCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset-offsets",
        abstract: "Say where a group goes on reading.",
        discussion: """
            Shows what would be changed; --execute changes it. The group must have no members: stop its consumers
            first. Without --topic it is about every partition for which the group has committed something.

            Examples:
              martlet group reset-offsets billing --to-earliest
              martlet group reset-offsets billing --topic orders --to-datetime 2026-11-01T00:00:00Z --execute
              martlet group reset-offsets billing --topic orders:0,3 --shift-by -100 --execute
            """
    )

    enum Mode: EnumerableFlag {
        case dryRun, execute

        static func help(for value: Mode) -> ArgumentHelp? {
            switch value {
            case .dryRun: "Only show what would be changed (the default)."
            case .execute: "Change it."
            }
        }
    }

    @Argument(help: "The group's name.")
    var name: String

    @Option(help: "A topic, or some of its partitions: NAME:0,3. May be repeated.")
    var topic: [String] = []

    @Flag(help: "To the oldest record.")
    var toEarliest = false

    @Flag(help: "Behind the newest record.")
    var toLatest = false

    @Option(help: "To this offset.")
    var toOffset: Int64?

    @Option(help: "To the first record of this time or later: ISO 8601, or milliseconds since 1970.")
    var toDatetime: String?

    @Option(parsing: .unconditional, help: "By so many records, back if negative.")
    var shiftBy: Int64?

    @Flag(exclusivity: .exclusive)
    var mode: Mode = .dryRun

    @Flag(help: "Print one JSON object a line.")
    var json = false

    @OptionGroup var client: ClientOptions

    func validate() throws {
        _ = try target()
        _ = try topic.map(TopicSelection.init)
    }

    private func target() throws -> OffsetResetTarget {
        let time = try toDatetime.map { text in
            guard let start = StartOption(argument: "@\(text)"), case .timestamp(let time) = start.start else {
                throw ValidationError("'\(text)' is no time; write 2026-11-01T00:00:00Z or milliseconds since 1970")
            }
            return time
        }
        if let toOffset, toOffset < 0 { throw ValidationError("--to-offset must not be negative") }
        let targets: [OffsetResetTarget?] = [
            toEarliest ? .earliest : nil, toLatest ? .latest : nil, toOffset.map { .offset($0) },
            time.map { .time($0) }, shiftBy.map { .shift($0) },
        ]
        let named = targets.compactMap { $0 }
        guard named.count == 1 else {
            throw ValidationError(
                "choose one of --to-earliest, --to-latest, --to-offset, --to-datetime and --shift-by")
        }
        return named[0]
    }

    func execute() async throws {
        let target = try target(), selections = try topic.map(TopicSelection.init)
        let changes = try await withAdmin(client) { admin in
            let changes = try await OffsetReset(group: name, target: target, selections: selections).changes(admin)
            if mode == .execute {
                let offsets = Dictionary(uniqueKeysWithValues: changes.map { ($0.place, $0.to) })
                try await admin.alterCommittedOffsets(of: name, to: offsets)
            }
            return changes
        }
        try show(changes)
    }

    private func show(_ changes: [OffsetReset.Change]) throws {
        guard !json else {
            for change in changes { print(try JSONOutput.line(change)) }
            return
        }
        var table = Table([("TOPIC", .left), ("PARTITION", .right), ("FROM", .right), ("TO", .right)])
        for change in changes {
            table.add([change.topic, "\(change.partition)", change.from.text, "\(change.to)"])
        }
        print(table.description)
        if mode == .dryRun { StandardStreams.printError("nothing was changed; --execute changes it\n") }
    }
}

/// A topic as `--topic` names it, with some of its partitions or all.
struct TopicSelection: Hashable, Sendable {
    var name: String
    /// Nil for all.
    var partitions: [Int32]?

    init(_ text: String) throws {
        guard let colon = text.firstIndex(of: ":") else {
            name = text
            return
        }
        name = String(text[..<colon])
        let numbers = text[text.index(after: colon)...].split(separator: ",", omittingEmptySubsequences: false)
        let partitions = numbers.compactMap { Int32($0) }.filter { $0 >= 0 }
        guard !name.isEmpty, partitions.count == numbers.count else {
            throw ValidationError("'\(text)' names no partitions; write NAME or NAME:0,3")
        }
        self.partitions = partitions
    }
}
