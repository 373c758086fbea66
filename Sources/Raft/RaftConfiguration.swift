import Basics
import RaftCore
import SegmentLog

/// How one node of a Raft group behaves. The defaults are safe; the limits are in bytes.
public struct RaftConfiguration: Sendable {
    public var shard: ShardID
    /// Elections, heartbeats, windows: see `CoreConfiguration`.
    public var core: CoreConfiguration
    /// How blocks are compressed before they are stored and sent.
    public var compression: BlockCompression = .zstd(level: 1)
    /// Bytes of commands that may wait for their block. At the bound `apply` answers `RaftError.overloaded`.
    public var pendingBytesMax = 64.mebibytes
    /// How often the core looks at its deadlines.
    public var tickInterval: TimeSpan = .milliseconds(20)
    /// Groups of at most this many bytes are encoded on the event loop; larger ones on the encoder thread.
    public var inlineEncodingBytesMax = 32.kibibytes
    /// Blocks that are not compressed keep payloads of this size, on average, in the memory they came in.
    public var keptPayloadBytesMin = BlockEncoder.keptPayloadBytesMin
    /// Seeds the core's random numbers (election timeouts).
    public var seed: UInt64

    public init(shard: ShardID, core: CoreConfiguration, seed: UInt64) {
        self.shard = shard
        self.core = core
        self.seed = seed
    }
}
