import Basics
import NIOCore
import SegmentLog

/// One entry of the replicated log, as hashicorp/raft's `Log`.
public struct Log: Hashable, Sendable {
    public var index: LogIndex
    public var term: Term
    public var type: EntryType
    /// The state machine's few bytes, kept uncompressed beside the payload.
    public var head: ByteBuffer
    public var payload: ByteBuffer

    public init(
        index: LogIndex, term: Term, type: EntryType, head: ByteBuffer = ByteBuffer(),
        payload: ByteBuffer = ByteBuffer()
    ) {
        self.index = index
        self.term = term
        self.type = type
        self.head = head
        self.payload = payload
    }
}

/// What a log store may answer when it cannot.
public enum LogStoreError: Error, Hashable, Sendable {
    /// No entry has this index.
    case notFound(LogIndex)
    /// `storeLogs` was called with an index that does not follow the last one: gaps are not allowed.
    case gap(expected: LogIndex, found: LogIndex)
    /// `deleteRange` would leave a hole: only a prefix or a suffix may go.
    case hole(LogIndex, LogIndex)
    case storage(StorageError)
    case damaged(BlockError)
}

/// Stores log entries (hashicorp/raft's `LogStore`). Monotonic by contract: entries are consecutive, without gaps.
///
/// Synchronous, and durable when a call returns. `RaftNode` itself writes through the pipelined `BlockLog`; use
/// `LogStoreBlockLog` to run a node on a store of your own.
public protocol LogStore: AnyObject, Sendable {
    /// The first index, 0 for none.
    var firstIndex: LogIndex { get }
    /// The last index, 0 for none.
    var lastIndex: LogIndex { get }
    func log(at index: LogIndex) throws(LogStoreError) -> Log
    func storeLog(_ log: Log) throws(LogStoreError)
    func storeLogs(_ logs: [Log]) throws(LogStoreError)
    /// Deletes the entries from `min` to `max`, both inclusive.
    func deleteRange(_ min: LogIndex, _ max: LogIndex) throws(LogStoreError)
}

extension LogStore {
    public func storeLog(_ log: Log) throws(LogStoreError) { try storeLogs([log]) }
}

/// Keeps the few values that must survive a restart (hashicorp/raft's `StableStore`). Durable when a call returns.
public protocol StableStore: AnyObject, Sendable {
    func set(_ key: String, _ value: UInt64) throws(LogStoreError)
    /// Nil when the key was never set.
    func get(_ key: String) throws(LogStoreError) -> UInt64?
}
