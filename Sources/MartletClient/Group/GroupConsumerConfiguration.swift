import Basics

/// How a member of a group behaves.
public struct GroupConsumerConfiguration: Sendable {
    /// A name that survives restarts: a member that comes back under it within the broker's session timeout gets its
    /// partitions back, and nobody else's move (KIP-345).
    public var instanceID: String?
    /// Where this member stands.
    public var rackID: String?
    /// Which of the broker's assignors to ask for: "uniform" or "range"; nil leaves the choice to the broker.
    public var assignor: String?
    /// How long this member may take to give partitions up: longer than handling one batch of records ever takes.
    public var rebalanceTimeout = Duration.seconds(300)
    /// Where to begin in partitions for which the group has committed nothing.
    public var start = GroupStart.end
    /// How often what was consumed is committed by itself; nil: never, that is left to ``GroupConsumer/commit()``.
    public var commitInterval: Duration? = .seconds(5)
    /// How it fetches.
    public var fetch = ConsumerConfiguration()
    /// Called when partitions come and go, from within the call that asks for the next record: no record is being
    /// given out meanwhile.
    public var onRebalance: (@Sendable (RebalanceEvent) async -> Void)?

    public init() {}
}

/// Where a group begins that has not begun yet.
public enum GroupStart: Hashable, Sendable {
    case beginning
    case end
}

/// A change of what a member reads.
public enum RebalanceEvent: Hashable, Sendable {
    case assigned([TopicPartition])
    /// They go to another member as soon as the call returns. What was consumed of them is committed already, if
    /// commits happen by themselves.
    case revoked([TopicPartition])
    /// The group gave them to another member: this one was silent too long. Nothing can be committed for them.
    case lost([TopicPartition])
}
