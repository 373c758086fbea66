import ArgumentParser
import Basics
import Foundation
import SegmentLog

/// `martlet log`: looks at the log of a stopped broker.
struct LogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Print or check the log of a stopped broker.",
        subcommands: [LogDumpCommand.self, LogVerifyCommand.self]
    )
}

/// The directory that both subcommands read.
struct LogDirectoryOptions: ParsableArguments {
    @Argument(help: "A broker's data directory, or one shard-N directory in it.")
    var directory: String

    @Flag(help: "Print JSON, one object a line.")
    var json = false

    /// The shards found, in order, each with an inspector.
    func inspectors() throws -> [(shard: ShardID, path: String, inspector: LogInspector)] {
        let files = POSIXFileSystem()
        let names = try FileManager.default.contentsOfDirectory(atPath: directory)
        var shards: [(ShardID, String)] = names.compactMap { name in
            guard name.hasPrefix("shard-"), let number = UInt16(name.dropFirst("shard-".count)) else { return nil }
            return (ShardID(number), "\(directory)/\(name)")
        }
        if shards.isEmpty {
            let name = URL(fileURLWithPath: directory).lastPathComponent
            guard names.contains("state"), name.hasPrefix("shard-"), let number = UInt16(name.dropFirst("shard-".count))
            else {
                throw ValidationError(
                    "\(directory) is neither a broker's data directory nor a shard-N directory in one")
            }
            shards = [(ShardID(number), directory)]
        }
        return shards.sorted { $0.0 < $1.0 }.map { shard, path in
            let options = SegmentLogOptions(directory: path, shard: shard)
            return (shard, path, LogInspector(options: options, fileSystem: files))
        }
    }
}

/// `martlet log dump`: every file and block, and every entry if asked.
struct LogDumpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump", abstract: "Print what a log holds.",
        discussion: "Example: martlet log dump martlet-data --entries --json")

    @OptionGroup var log: LogDirectoryOptions

    @Flag(help: "Print every entry of every block too.")
    var entries = false

    func run() async throws {
        for (shard, path, inspector) in try log.inspectors() {
            let printer = LogPrinter(json: log.json, entries: entries)
            printer.begin(shard, path)
            try inspector.dump { printer.print($0) }
        }
    }
}

/// `martlet log verify`: every checksum, the order of all blocks, and the sidecars.
struct LogVerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check every byte of a log.",
        discussion: """
            Exit status 1 when anything is damaged. A torn tail is no damage: it was never acknowledged, and the next \
            start cuts it off. Replicas of one cluster have the same checksums, segment by segment.
            """)

    @OptionGroup var log: LogDirectoryOptions

    func run() async throws {
        var isSound = true
        for (shard, path, inspector) in try log.inspectors() {
            let verification = try inspector.verify()
            isSound = isSound && verification.isSound
            LogPrinter(json: log.json, entries: false).print(verification, of: shard, at: path)
        }
        guard isSound else { throw ExitCode(1) }
    }
}
