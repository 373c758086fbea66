import ArgumentParser
import Basics
import Broker
import Configuration
import Foundation
import Logging
import Networking
import SegmentLog
import SystemPackage

/// The options of `martlet serve`, and where their values come from when they are not given.
struct ServeOptions: ParsableArguments, Sendable {
    @Option(help: "This broker's number in the cluster (default: 1).")
    var nodeID: Int?

    @Option(help: "Directory for the logs; created if missing (default: martlet-data).")
    var dataDir: String?

    @Option(help: "Where Kafka clients connect (default: 127.0.0.1:9092).")
    var listen: String?

    @Option(help: "What clients are told to connect to (default: the address of --listen).")
    var advertise: String?

    @Option(help: "Where other brokers connect (default: 127.0.0.1:9192).")
    var peerListen: String?

    @Option(help: "All brokers: ID=HOST:PORT of their peer listeners, separated by commas. The same for every broker.")
    var cluster: String?

    @Option(help: "Number of Raft groups; fixed when the cluster is created (default: 1).")
    var shards: Int?

    @Option(help: "zstd level of the log, -20 to 19, or 'off' (default: 1).")
    var compression: String?

    @Option(help: "'fsync': acknowledge when a quorum has flushed. 'page': earlier, for comparisons (default: fsync).")
    var durability: String?

    @Option(help: "'direct': the log is written past the page cache. 'buffered': through it (default: direct).")
    var writePath: String?

    @Option(help: "Size at which a file of the log is sealed, in MiB (default: 64).")
    var segmentMib: Int?

    @Option(help: "Whether asking for a missing topic creates it: true or false (default: true).")
    var autoCreateTopics: String?

    @Option(help: "Partitions of a topic whose creator did not say (default: 1).")
    var defaultPartitions: Int?

    @Option(help: "How long the first members of an empty group wait for others, in ms (default: 3000).")
    var groupInitialRebalanceDelayMs: Int?

    @Option(help: "Most members of a consumer group (default: 10000).")
    var groupMaxSize: Int?

    @Option(help: "How long a member of the new group protocol may be silent, in ms (default: 45000).")
    var groupConsumerSessionTimeoutMs: Int?

    @Option(help: "How often a member of the new group protocol sends heartbeats, in ms (default: 5000).")
    var groupConsumerHeartbeatIntervalMs: Int?

    @Option(help: "Most members of a consumer group of the new protocol (default: 10000).")
    var groupConsumerMaxSize: Int?

    @Option(
        help: """
            Whether a group changes its protocol under its members: disabled, upgrade, downgrade or bidirectional \
            (default: bidirectional).
            """)
    var groupConsumerMigrationPolicy: String?

    @Option(help: "How long offsets are kept of a group without members, in minutes (default: 10080, a week).")
    var offsetsRetentionMinutes: Int?

    @Option(
        help: """
            While producers keep this broker busy, consumers read from disk at most this percentage of what is \
            produced; 0 for no limit (default: 33).
            """)
    var coldReadPercent: Int?

    @Option(help: "The rack that clients are told this broker is in.")
    var rack: String?

    @Option(help: "A JSON file with any of these options, without the leading dashes.")
    var config: String?

    @Option(
        help: "Least severe messages logged: trace, debug, info, notice, warning, error or critical (default: notice).")
    var logLevel: String?

    @Flag(help: "Start although acknowledged entries are damaged on disk, and lose them.")
    var acceptDataLoss = false

    /// Every option with its value, from the flags, the environment or the file, in this order.
    func resolve() async throws -> ServerConfiguration {
        let reader = ConfigReader(providers: try await providers())
        var server = ServerConfiguration()
        server.nodeID = NodeID(Int32(clamping: nodeID ?? reader.int(forKey: "node-id", default: 1)))
        server.dataDirectory = dataDir ?? reader.string(forKey: "data-dir", default: server.dataDirectory)
        server.listen = try address("listen", listen ?? reader.string(forKey: "listen")) ?? server.listen
        server.advertised = try address("advertise", advertise ?? reader.string(forKey: "advertise"))
        server.peerListen =
            try address("peer-listen", peerListen ?? reader.string(forKey: "peer-listen")) ?? server.peerListen
        server.cluster = try members(cluster ?? reader.string(forKey: "cluster"))
        server.shardCount = shards ?? reader.int(forKey: "shards", default: 1)
        server.compression = try compression(compression ?? reader.string(forKey: "compression"))
        server.durability = try durability(durability ?? reader.string(forKey: "durability"))
        server.writePath = try writePath(writePath ?? reader.string(forKey: "write-path"))
        let segment = segmentMib ?? reader.int(forKey: "segment-mib", default: 64)
        guard (1...1_024).contains(segment) else {
            throw ValidationError("--segment-mib is \(segment); choose 1 to 1024")
        }
        server.segmentBytes = segment.mebibytes
        server.autoCreateTopics = try boolean(
            "auto-create-topics", autoCreateTopics ?? reader.string(forKey: "auto-create-topics")) ?? true
        server.defaultPartitionCount = Int32(
            clamping: defaultPartitions ?? reader.int(forKey: "default-partitions", default: 1))
        guard server.defaultPartitionCount >= 1 else {
            throw ValidationError("--default-partitions must be at least 1")
        }
        server.groups = try groups(reader)
        let coldRead =
            coldReadPercent ?? reader.int(forKey: "cold-read-percent", default: server.coldReads.percent)
        guard (0...1_000).contains(coldRead) else {
            throw ValidationError("--cold-read-percent is \(coldRead); choose 0 (no limit) to 1000")
        }
        server.coldReads.percent = coldRead
        server.rack = rack ?? reader.string(forKey: "rack")
        server.acceptDataLoss = acceptDataLoss
        return server
    }

    private func groups(_ reader: ConfigReader) throws -> GroupConfiguration {
        var groups = GroupConfiguration()
        func number(_ option: Int?, _ name: String, _ range: ClosedRange<Int>, default: Int) throws -> Int {
            let value = option ?? reader.int(forKey: ConfigKey(name), default: `default`)
            guard range.contains(value) else {
                throw ValidationError("--\(name) is \(value); choose \(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }
        groups.initialRebalanceDelay = Milliseconds(
            try number(groupInitialRebalanceDelayMs, "group-initial-rebalance-delay-ms", 0...600_000, default: 3_000))
        groups.sizeMax = Int32(try number(groupMaxSize, "group-max-size", 1...1_000_000, default: 10_000))
        groups.consumerSessionTimeout = Milliseconds(
            try number(
                groupConsumerSessionTimeoutMs, "group-consumer-session-timeout-ms", 1_000...1_800_000,
                default: 45_000))
        groups.consumerHeartbeatInterval = Milliseconds(
            try number(
                groupConsumerHeartbeatIntervalMs, "group-consumer-heartbeat-interval-ms", 100...600_000,
                default: 5_000))
        groups.consumerSizeMax = Int32(
            try number(groupConsumerMaxSize, "group-consumer-max-size", 1...1_000_000, default: 10_000))
        let policy =
            groupConsumerMigrationPolicy ?? reader.string(forKey: "group-consumer-migration-policy") ?? "bidirectional"
        guard let migration = GroupMigrationPolicy(rawValue: policy) else {
            let known = GroupMigrationPolicy.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--group-consumer-migration-policy is '\(policy)'; choose one of \(known)")
        }
        groups.migration = migration
        let minutes = try number(
            offsetsRetentionMinutes, "offsets-retention-minutes", 1...52_560_000, default: 10_080)
        groups.offsetsRetention = Milliseconds(minutes) * 60_000
        return groups
    }

    /// The environment's variables that begin with MARTLET_, then the file.
    private func providers() async throws -> [any ConfigProvider] {
        let prefix = "MARTLET_"
        let own = ProcessInfo.processInfo.environment.filter { $0.key.hasPrefix(prefix) }
        var providers: [any ConfigProvider] = [
            EnvironmentVariablesProvider(
                environmentVariables: Dictionary(
                    uniqueKeysWithValues: own.map { (String($0.key.dropFirst(prefix.count)), $0.value) }))
        ]
        if let path = config ?? own["MARTLET_CONFIG"] {
            do {
                providers.append(try await FileProvider<JSONSnapshot>(filePath: FilePath(path)))
            } catch {
                throw ValidationError("cannot read the configuration file \(path): \(error)")
            }
        }
        return providers
    }

    func logger() -> Logger {
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "martlet")
        let level = logLevel ?? ProcessInfo.processInfo.environment["MARTLET_LOG_LEVEL"]
        logger.logLevel = level.flatMap(Logger.Level.init(rawValue:)) ?? .notice
        return logger
    }

    private func address(_ name: String, _ text: String?) throws -> HostPort? {
        guard let text else { return nil }
        guard let address = HostPort(text) else { throw ValidationError("--\(name) is '\(text)'; write HOST:PORT") }
        return address
    }

    private func members(_ text: String?) throws -> [NodeID: HostPort] {
        guard let text, !text.isEmpty else { return [:] }
        var members: [NodeID: HostPort] = [:]
        for part in text.split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1)
            guard pair.count == 2, let id = Int32(pair[0]), id >= 0, let address = HostPort(String(pair[1])) else {
                throw ValidationError("--cluster has '\(part)'; write ID=HOST:PORT,ID=HOST:PORT,…")
            }
            guard members.updateValue(address, forKey: NodeID(id)) == nil else {
                throw ValidationError("--cluster names node \(id) twice")
            }
        }
        return members
    }

    private func compression(_ text: String?) throws -> BlockCompression {
        guard let text else { return .zstd(level: 1) }
        if text == "off" { return .off }
        guard let level = Int32(text), (-20...19).contains(level) else {
            throw ValidationError("--compression is '\(text)'; give a zstd level from -20 to 19, or off")
        }
        return .zstd(level: level)
    }

    private func durability(_ text: String?) throws -> Durability {
        switch text {
        case nil, "fsync": .fsync
        case "page": .page
        case let other?: throw ValidationError("--durability is '\(other)'; choose fsync or page")
        }
    }

    private func writePath(_ text: String?) throws -> WritePath {
        switch text {
        case nil, "direct": .direct
        case "buffered": .buffered
        case let other?: throw ValidationError("--write-path is '\(other)'; choose direct or buffered")
        }
    }

    private func boolean(_ name: String, _ text: String?) throws -> Bool? {
        switch text {
        case nil: nil
        case "true": true
        case "false": false
        case let other?: throw ValidationError("--\(name) is '\(other)'; choose true or false")
        }
    }
}
