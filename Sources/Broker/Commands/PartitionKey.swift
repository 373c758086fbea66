import Basics

/// A topic as the log knows it: a number given once and never reused, so that a topic deleted and created again under
/// the same name is another topic.
public struct TopicNumber: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public init(_ value: UInt32) { rawValue = value }
    public static func < (a: TopicNumber, b: TopicNumber) -> Bool { a.rawValue < b.rawValue }
    public var description: String { String(rawValue) }
}

/// A partition of a topic, in eight bytes.
public struct PartitionKey: Hashable, Sendable, CustomStringConvertible {
    public var rawValue: UInt64

    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public init(_ topic: TopicNumber, _ partition: Int32) {
        rawValue = UInt64(topic.rawValue) << 32 | UInt64(UInt32(bitPattern: partition))
    }

    public var topic: TopicNumber { TopicNumber(UInt32(rawValue >> 32)) }
    public var partition: Int32 { Int32(truncatingIfNeeded: rawValue) }
    public var description: String { "\(topic)/\(partition)" }

    /// The shard in whose log the partition lives: consecutive partitions of a topic go to consecutive shards.
    public func shard(of shardCount: Int) -> ShardID {
        ShardID(UInt16((UInt64(topic.rawValue) + UInt64(UInt32(bitPattern: partition))) % UInt64(shardCount)))
    }
}
