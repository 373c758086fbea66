import Basics

/// A call on the file system, for error messages.
public enum StorageOperation: String, Hashable, Sendable {
    case open, read, write, flush, dropCache, truncate, allocate, punchHole, size, rename, unlink, list, syncDirectory
    case createDirectory, lock
}

/// A part of the log that was stored once and can no longer be trusted.
public struct DamagedRange: Hashable, Sendable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        case block(BlockError)
        /// The block is whole, but not the one that belongs here.
        case order(expected: LogIndex)
        case segmentHeader
        case missingSegment
        /// Entries that were flushed once are no longer there.
        case missingBlocks
        /// What the state machine kept beside the segment; the next start derives it again.
        case offsets
        /// Both copies of term and vote are gone.
        case state
    }

    /// Name of the file within the log's directory.
    public var file: String
    /// Byte position in the file.
    public var position: Int
    public var firstIndex: LogIndex
    /// nil when nobody can say how far the damage reaches.
    public var lastIndex: LogIndex?
    public var reason: Reason

    public init(file: String, position: Int, firstIndex: LogIndex, lastIndex: LogIndex?, reason: Reason) {
        self.file = file
        self.position = position
        self.firstIndex = firstIndex
        self.lastIndex = lastIndex
        self.reason = reason
    }

    public var description: String {
        "\(file) at byte \(position), entries \(firstIndex)...\(lastIndex.map(\.description) ?? "?"): \(reason)"
    }
}

/// What the storage could not do.
public enum StorageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A system call failed.
    case io(StorageOperation, path: String, errno: Int32)
    /// Stored data is damaged. None of it was cut off.
    case damaged([DamagedRange])
    /// The entries were reclaimed, or were never written.
    case outOfRange(index: LogIndex, first: LogIndex, last: LogIndex)
    /// Another process uses this directory.
    case locked(path: String)
    /// The directory belongs to another shard.
    case wrongShard(expected: ShardID, found: ShardID)

    public var description: String {
        switch self {
        case .io(let operation, let path, let errno): "\(operation.rawValue) \(path): errno \(errno)"
        case .damaged(let ranges): "damaged log: \(ranges.map(\.description).joined(separator: "; "))"
        case .outOfRange(let index, let first, let last): "entry \(index) is not in the log (\(first)...\(last))"
        case .locked(let path): "\(path) is in use by another process"
        case .wrongShard(let expected, let found): "the log belongs to shard \(found), not to shard \(expected)"
        }
    }
}
