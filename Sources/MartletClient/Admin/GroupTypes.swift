import KafkaWire

/// By which protocol a group's members share its partitions.
public enum GroupType: String, Hashable, Sendable {
    /// The members compute their assignment themselves.
    case classic
    /// The broker assigns (KIP-848).
    case consumer
}

/// A group as a list names it.
public struct GroupListing: Hashable, Sendable {
    public var id: String
    /// Nil from brokers that do not tell: those before Kafka 3.8.
    public var type: GroupType?
    /// "Stable", "Empty", "PreparingRebalance" and so on; empty from brokers before Kafka 2.6.
    public var state: String
    /// The broker that keeps the group.
    public var coordinator: Int32
}

/// A group and its members.
public struct GroupDescription: Hashable, Sendable {
    public struct Member: Hashable, Sendable {
        public var id: String
        /// Of a static member.
        public var instanceID: String?
        public var clientID: String
        public var host: String
        /// Nil in a classic group.
        public var epoch: Int32?
        public var subscription: [String]
        /// What it owns.
        public var assigned: [TopicPartition]
        /// What it shall own; the same as ``assigned`` in a classic group.
        public var target: [TopicPartition]

        /// Partitions that it is to get and has not yet.
        public var toReceive: [TopicPartition] { target.filter { !assigned.contains($0) } }
    }

    public var id: String
    public var type: GroupType
    public var state: String
    /// Nil in a classic group.
    public var epoch: Int32?
    /// What decides who owns what; empty while nothing does.
    public var assignor: String
    public var coordinator: Int32
    /// What the broker says beside; Martlet: who holds up a rebalance, and for how long.
    public var note: String?
    /// By client and id.
    public var members: [Member]

    /// Who owns a partition, if anybody does.
    public func owner(of partition: TopicPartition) -> Member? {
        members.first { $0.assigned.contains(partition) }
    }
}

/// How far a group has come in a partition.
public struct CommittedOffset: Hashable, Sendable {
    /// The next record to read.
    public var offset: Int64
    /// −1 if unknown.
    public var leaderEpoch: Int32
    public var metadata: String
}
