import Basics
import Broker
import SegmentLog

/// A host and a port, as people write them: `127.0.0.1:9092`, `[::1]:9092`, `broker-1:9092`.
public struct HostPort: Hashable, Sendable, LosslessStringConvertible {
    public var host: String
    public var port: Int

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port)
        else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.isEmpty else { return nil }
        self.init(host: host, port: port)
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// Everything a broker process needs to know before it starts.
public struct ServerConfiguration: Sendable {
    public var nodeID = NodeID(1)
    public var dataDirectory = "martlet-data"
    /// Where Kafka clients connect. Port 0 takes a free one.
    public var listen = HostPort(host: "127.0.0.1", port: 9092)
    /// What clients are told to connect to; `listen` if nil.
    public var advertised: HostPort?
    /// Where other brokers connect.
    public var peerListen = HostPort(host: "127.0.0.1", port: 9192)
    /// All brokers with the addresses of their peer listeners, this one included; empty for a broker alone.
    public var cluster: [NodeID: HostPort] = [:]
    /// Number of Raft groups; fixed when the data directory is created.
    public var shardCount = 1
    public var compression = BlockCompression.zstd(level: 1)
    public var durability = Durability.fsync
    public var segmentBytes = 64.mebibytes
    public var writePath = WritePath.direct
    public var autoCreateTopics = true
    public var defaultPartitionCount: Int32 = 1
    public var groups = GroupConfiguration()
    public var coldReads = ColdReadConfiguration()
    public var rack: String?
    /// Start although acknowledged entries are damaged on disk, and lose them.
    public var acceptDataLoss = false
    /// Bytes of incomplete requests and of answers not taken, over all clients' connections.
    public var connectionBytesMax = 512.mebibytes
    /// Close clients' connections after this much silence (Kafka's `connections.max.idle.ms`).
    public var idleConnectionMax = TimeSpan.seconds(600)

    public init() {}
}

/// Why a broker could not start, or had to stop. Says what to do next.
public enum ServerError: Error, Sendable, CustomStringConvertible {
    case invalidConfiguration(String)
    case cannotListen(HostPort, reason: String)
    case storage(shard: ShardID, StorageError)
    case identity(String)

    public var description: String {
        switch self {
        case .invalidConfiguration(let reason): reason
        case .cannotListen(let address, let reason):
            "cannot listen on \(address): \(reason). Is another broker running? "
                + "Choose another address with --listen or --peer-listen"
        case .storage(let shard, .damaged(let ranges)):
            "the log of shard \(shard) is damaged:\n"
                + ranges.map { "  \($0)" }.joined(separator: "\n")
                + "\nRestore the files from a replica. `martlet log verify` lists the damage; "
                + "--accept-data-loss starts without it and loses entries"
        case .storage(let shard, let error): "the log of shard \(shard) cannot be used: \(error)"
        case .identity(let reason): reason
        }
    }
}
