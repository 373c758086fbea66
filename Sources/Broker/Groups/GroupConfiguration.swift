import Basics

/// How a broker coordinates groups. Times are in milliseconds, as in Kafka's settings of the same meaning.
public struct GroupConfiguration: Hashable, Sendable {
    /// How long the first members of an empty group wait for others (`group.initial.rebalance.delay.ms`).
    public var initialRebalanceDelay: Milliseconds = 3_000
    /// The session timeouts that members may ask for (`group.min.session.timeout.ms`, `group.max.session.timeout.ms`).
    public var sessionTimeouts: ClosedRange<Int32> = 6_000...1_800_000
    /// Most members of a group (`group.max.size`).
    public var sizeMax: Int32 = 10_000
    /// How long a member of the new protocol may be silent (`group.consumer.session.timeout.ms`).
    public var consumerSessionTimeout: Milliseconds = 45_000
    /// How often it sends heartbeats while nothing happens (`group.consumer.heartbeat.interval.ms`).
    public var consumerHeartbeatInterval: Milliseconds = 5_000
    /// Most members of a group of the new protocol (`group.consumer.max.size`).
    public var consumerSizeMax: Int32 = 10_000
    /// Which groups change their protocol under their members (`group.consumer.migration.policy`).
    public var migration = GroupMigrationPolicy.bidirectional
    /// Bytes of metadata that one member may bring, for all the protocols it supports.
    public var memberBytesMax = 1.mebibytes
    /// Member ids handed out, in all groups of a shard, to clients that have not come back with them.
    public var pendingMembersMax = 100_000
    /// How long offsets of a group without members are kept (`offsets.retention.minutes`).
    public var offsetsRetention: Milliseconds = 7 * 86_400_000
    /// How often the coordinator looks for offsets to forget.
    public var offsetsCheckInterval: Milliseconds = 60_000
    /// Longest metadata of a committed offset, in UTF-8 bytes (`offset.metadata.max.bytes`).
    public var offsetMetadataBytesMax = 4_096

    public init() {}
}

/// Which way a group may change its protocol while it has members (KIP-848, online migration).
public enum GroupMigrationPolicy: String, CaseIterable, Sendable {
    case disabled, upgrade, downgrade, bidirectional

    /// Whether a classic group becomes one of the new protocol when a member of that joins.
    var convertsToConsumer: Bool { self == .upgrade || self == .bidirectional }
    /// Whether it becomes a classic one again when the last member of the new protocol has left.
    var revertsToClassic: Bool { self == .downgrade || self == .bidirectional }
}
