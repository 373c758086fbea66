import Basics
import Raft
import SegmentLog

/// How one broker behaves. Every bound is in bytes or milliseconds and has a name; `bounds` lists them for people.
public struct BrokerConfiguration: Sendable {
    public var nodeID: NodeID
    /// All brokers of the cluster, this one included.
    public var voters: [NodeID]
    public var shardCount = 1
    /// Where clients reach this broker.
    public var advertisedHost: String
    public var advertisedPort: Int32
    public var rack: String?
    /// Where the logs are, for people.
    public var logDirectory = ""

    /// Whether asking for the metadata of a missing topic creates it (Kafka's `auto.create.topics.enable`).
    public var autoCreateTopics = true
    /// Partitions of a topic whose creator did not say (Kafka's `num.partitions`).
    public var defaultPartitionCount: Int32 = 1
    /// Most partitions one topic may have.
    public var partitionCountMax: Int32 = 100_000

    public var groups = GroupConfiguration()
    public var coldReads = ColdReadConfiguration()

    public var compression: BlockCompression = .zstd(level: 1)
    /// Bytes of produce requests that may wait to be committed, for each shard.
    public var pendingBytesMax = 64.mebibytes
    /// Batches of this size, on average in a block, stay in the memory they came in (`BlockEncoder`).
    public var keptPayloadBytesMin = BlockEncoder.keptPayloadBytesMin
    /// Bytes of newest log kept in memory, for all shards together; tail reads come from there.
    public var tailBytesMax = 32.mebibytes
    /// Bytes of blocks read from disk and kept, decompressed, for all shards together.
    public var coldBlockBytesMax = 32.mebibytes
    /// Bytes of sealed segments' offset tables kept in memory, for all shards together.
    public var offsetTableBytesMax = 16.mebibytes
    /// Largest response to one fetch (Kafka's `fetch.max.bytes`).
    public var fetchBytesMax = 57_671_680
    /// Longest time a fetch or a produce may wait.
    public var requestWaitMax: Milliseconds = 300_000
    /// Requests of one connection that may wait for their answers before its socket is no longer read.
    public var requestsPerConnectionMax = 128
    /// Bytes of answers waiting in one connection before its socket is no longer read.
    public var responseBytesPerConnectionMax = 16.mebibytes
    /// Fetches that may wait for data at once.
    public var waitingFetchesMax = 100_000

    public init(nodeID: NodeID, voters: [NodeID], advertisedHost: String, advertisedPort: Int32) {
        self.nodeID = nodeID
        self.voters = voters
        self.advertisedHost = advertisedHost
        self.advertisedPort = advertisedPort
    }

    /// What one shard may have of a bound for all of them. Below 4 MiB what a shard keeps is gone before it is of use,
    /// so with very many shards all of them may have more together than the bound says.
    func shardPart(of bytes: Int) -> Int { Self.shardPart(of: bytes, shardCount: shardCount) }

    /// The same for who has no configuration of a broker yet.
    public static func shardPart(of bytes: Int, shardCount: Int) -> Int {
        max(bytes / shardCount, min(bytes, 4.mebibytes))
    }

    /// The bounds by name, for the banner of `martlet serve`.
    public var bounds: [(name: String, value: String)] {
        [
            ("waiting produce, each shard", "\(pendingBytesMax >> 20) MiB"),
            ("log tail in memory, all shards", "\(tailBytesMax >> 20) MiB"),
            ("blocks read from disk, all shards", "\(coldBlockBytesMax >> 20) MiB"),
            ("offset tables of sealed segments, all shards", "\(offsetTableBytesMax >> 20) MiB"),
            ("one fetch response", "\(fetchBytesMax >> 20) MiB"),
            ("waiting answers, each connection", "\(responseBytesPerConnectionMax >> 20) MiB"),
            ("waiting requests, each connection", "\(requestsPerConnectionMax)"),
            ("waiting fetches", "\(waitingFetchesMax)"),
        ]
    }
}
