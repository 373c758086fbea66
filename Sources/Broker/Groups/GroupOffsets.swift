import Basics

/// How far a group has come, for each partition.
///
/// Owner: its `Group`.
struct GroupOffsets {
    struct Committed: Hashable, Sendable {
        var offset: Int64
        /// Of the last record consumed; -1 if the client did not say.
        var leaderEpoch: Int32
        var metadata: String
        var committedAt: Milliseconds
        /// When it may be forgotten, if the client said so; -1 if not.
        var expiresAt: Milliseconds
    }

    private(set) var partitions: [PartitionKey: Committed] = [:]

    var isEmpty: Bool { partitions.isEmpty }
    subscript(partition: PartitionKey) -> Committed? { partitions[partition] }

    mutating func set(_ partition: PartitionKey, _ committed: Committed) { partitions[partition] = committed }

    mutating func remove(_ keys: [PartitionKey]) {
        for key in keys { partitions[key] = nil }
    }

    mutating func forget(_ topic: TopicNumber) {
        guard partitions.keys.contains(where: { $0.topic == topic }) else { return }
        partitions = partitions.filter { $0.key.topic != topic }
    }

    /// What may be forgotten of a group that has had no members since `idleSince`.
    func expired(now: Milliseconds, retention: Milliseconds, idleSince: Milliseconds) -> [PartitionKey] {
        partitions.compactMap { key, committed in
            let end = committed.expiresAt >= 0
                ? committed.expiresAt : max(committed.committedAt, idleSince) + retention
            return end <= now ? key : nil
        }
    }
}
