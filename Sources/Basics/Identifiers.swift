/// The words of the Raft paper and of Kafka as distinct types, so that an index is never taken for an offset.

/// A Raft term (Raft paper §5.1). Starts at 0, which no leader ever holds.
public struct Term: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public init(_ value: UInt64) { rawValue = value }
    public static let zero = Term(0)
    public var next: Term { Term(rawValue + 1) }
    public static func < (a: Term, b: Term) -> Bool { a.rawValue < b.rawValue }
    public var description: String { String(rawValue) }
}

/// The position of an entry in a shard's replicated log. The first entry has index 1; 0 means "none".
public struct LogIndex: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public init(_ value: UInt64) { rawValue = value }
    public static let zero = LogIndex(0)
    public var next: LogIndex { LogIndex(rawValue + 1) }
    /// The index before this one; the predecessor of 0 is a programming error and traps.
    public var previous: LogIndex { LogIndex(rawValue - 1) }
    public static func < (a: LogIndex, b: LogIndex) -> Bool { a.rawValue < b.rawValue }
    public static func + (a: LogIndex, count: Int) -> LogIndex { LogIndex(a.rawValue + UInt64(count)) }
    /// The number of entries from `b` (inclusive) to `a` (exclusive).
    public static func - (a: LogIndex, b: LogIndex) -> Int { Int(a.rawValue) - Int(b.rawValue) }
    public var description: String { String(rawValue) }
}

/// The position of a record in a partition, as Kafka's clients see it. Dense, starting at 0.
public struct Offset: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: Int64
    public init(rawValue: Int64) { self.rawValue = rawValue }
    public init(_ value: Int64) { rawValue = value }
    public static let zero = Offset(0)
    public static func < (a: Offset, b: Offset) -> Bool { a.rawValue < b.rawValue }
    public static func + (a: Offset, count: Int) -> Offset { Offset(a.rawValue + Int64(count)) }
    public static func - (a: Offset, b: Offset) -> Int { Int(a.rawValue - b.rawValue) }
    public var description: String { String(rawValue) }
}

/// A broker of the cluster: Kafka's `node_id`. Not negative.
public struct NodeID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }
    public init(_ value: Int32) { rawValue = value }
    public static func < (a: NodeID, b: NodeID) -> Bool { a.rawValue < b.rawValue }
    public var description: String { String(rawValue) }
}

/// One Raft group of the cluster. Shard 0 also holds the cluster's metadata.
public struct ShardID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }
    public init(_ value: UInt16) { rawValue = value }
    public static let metadata = ShardID(0)
    public static func < (a: ShardID, b: ShardID) -> Bool { a.rawValue < b.rawValue }
    public var description: String { String(rawValue) }
}
