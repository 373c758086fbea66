import Basics
import Raft
import RaftCore

/// One shard as this broker knows it, for whoever watches from outside.
public struct ShardReport: Hashable, Sendable {
    public var shard: ShardID
    public var status: Status
    public var commitIndex: LogIndex
    public var appliedIndex: LogIndex
    /// The end of the local log that is on stable storage.
    public var flushedIndex: LogIndex
    /// The end of the local log, flushed or not.
    public var lastIndex: LogIndex
    /// Bytes of commands that wait for their block.
    public var pendingBytes: Int
    /// Partitions of which the shard holds state.
    public var partitionCount: Int
    /// Whether this broker answers clients for the shard.
    public var isServing: Bool
}

extension Broker {
    /// What is known of each shard, in their order.
    public var shardReports: [ShardReport] { shards.map(\.report) }

    /// A number that follows from everything the shard has applied: equal on replicas that applied the same.
    public func stateDigest(of shard: ShardID) -> UInt64 { shards[Int(shard.rawValue)].machine.digest }
}

extension Shard {
    fileprivate var report: ShardReport {
        ShardReport(
            shard: id, status: node.status, commitIndex: node.commitIndex, appliedIndex: node.appliedIndex,
            flushedIndex: node.flushedIndex, lastIndex: node.lastIndex, pendingBytes: node.pendingBytes,
            partitionCount: machine.partitions.count, isServing: isServing)
    }
}
