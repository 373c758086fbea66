import Basics

/// When an append counts as stored.
public enum Durability: Hashable, Sendable {
    /// After a flush to stable storage.
    case fsync
    /// When the kernel has it: survives the end of the process, not of the machine. Term and vote are flushed all the
    /// same.
    case page
}

public struct SegmentLogOptions: Hashable, Sendable {
    /// Created if missing.
    public var directory: String
    public var shard: ShardID
    /// Size at which a segment is sealed; one block larger than this has a segment of its own.
    public var segmentBytes = 64.mebibytes
    public var durability = Durability.fsync
    /// Reserve the next segment's disk space, and fill the active one's in front of the log, while idle.
    public var preallocate = true
    /// Reclaimed segments kept so that their disk blocks can be overwritten: a flush then writes no file metadata.
    public var recycleMax = 2
    /// Cut the log where it is damaged. Entries that were acknowledged may be lost: for a single node whose operator
    /// has said so, never by default.
    public var acceptDataLoss = false
    /// Nothing in the directory is changed, and the lock is not taken.
    public var readOnly = false
    /// Decompressed payloads kept beside the newest compressed blocks in memory.
    public var payloadBytesMax = 16.mebibytes
    /// Block tables of sealed segments kept in memory.
    public var tableBytesMax = 16.mebibytes

    public init(directory: String, shard: ShardID = .metadata) {
        self.directory = directory
        self.shard = shard
    }

    /// The bytes that go to disk between two flushes. Recovery relies on it: an unfinished group commit is no longer.
    public static let groupBytesMax = 4.mebibytes

    /// How far in front of the log its file is filled, and how much of it in one go. A commit that comes meanwhile
    /// waits for one piece.
    static let fillAheadBytes = 4.mebibytes
    static let fillBytes = 256.kibibytes
}
