import KafkaWire

/// One thing asked of a group of the new protocol (KIP-848). What the state depends on besides itself, topics and
/// limits, comes in with the command: every replica computes the same.
public enum ConsumerGroupCommand: Hashable, Sendable {
    case heartbeat(ConsumerGroupHeartbeat)
    case leave(ConsumerGroupLeave)
    /// The member was silent, or did not give up its partitions in time. Void if it has moved on from that epoch.
    case expire(memberID: String, epoch: Int32)
    case topicsChanged(SubscribedTopics)
    /// The members of a classic group become members of one of the new protocol. Void while the group rebalances.
    case convert(SubscribedTopics)
    /// The group becomes a classic one again. Void if a member of the new protocol is there.
    case revert
    /// A JoinGroup to a group that has members of the new protocol; to any other it is as a `ClassicGroupCommand`.
    case classicJoin(ClassicJoin, SubscribedTopics)
    /// A SyncGroup of a classic member: it knows its generation.
    case classicSync(memberID: String, epoch: Int32)
}

/// A heartbeat that changes something: a join, a changed subscription, an acknowledged revocation, a new assignment.
public struct ConsumerGroupHeartbeat: Hashable, Sendable {
    public var memberID: String
    /// 0 to join.
    public var memberEpoch: Int32
    public var instanceID: String?
    public var rackID: String?
    public var clientID = ""
    public var clientHost = ""
    /// Milliseconds; -1 when unchanged.
    public var rebalanceTimeout: Int32 = -1
    /// Nil when unchanged.
    public var topicNames: [String]?
    /// Nil when unchanged; an empty expression for none.
    public var pattern: SubscribedPattern?
    public var assignor: ServerAssignor?
    /// What the member owns now; nil when it says nothing of it.
    public var owned: [TopicIDPartition]?
    /// The topics that the proposing leader knows of those subscribed here.
    public var topics = SubscribedTopics()
    /// Most members the group may have.
    public var sizeMax: Int32 = .max

    public init(memberID: String, memberEpoch: Int32) {
        self.memberID = memberID
        self.memberEpoch = memberEpoch
    }

    /// Whether the member tells all of itself, as it does when it joins and after an answer it did not get.
    var isFull: Bool {
        memberEpoch == 0 || rebalanceTimeout >= 0 && (topicNames != nil || pattern != nil) && owned != nil
    }
}

/// A member goes: for good, or, if it is static, for a while (epochs -1 and -2 of the protocol).
public struct ConsumerGroupLeave: Hashable, Sendable {
    public var memberID: String
    public var instanceID: String?
    public var isTemporary: Bool
}

/// A topic as a group needs to know it.
public struct SubscribedTopic: Hashable, Sendable {
    public var name: String
    public var id: TopicID
    public var number: TopicNumber
    public var partitionCount: Int32
}

/// Topics, and what regular expressions match, at one point of the metadata shard's log.
public struct SubscribedTopics: Hashable, Sendable {
    /// The index up to which the proposing leader had applied the metadata shard's log.
    public var version: UInt64 = 0
    /// The topics that exist of those asked for, in the order of their names.
    public var topics: [SubscribedTopic] = []
    public var patterns: [SubscribedPattern] = []
}

/// Why a group refuses a request: the code for programs, the message for people.
public struct ConsumerGroupRefusal: Error, Hashable, Sendable {
    public let code: ErrorCode
    public let message: String

    init(_ code: ErrorCode, _ message: String) {
        self.code = code
        self.message = message
    }
}

/// What a member is told after a heartbeat, or after it left.
public struct ConsumerGroupAnswer: Hashable, Sendable {
    public let memberID: String
    public let memberEpoch: Int32
    /// All partitions the member may have, in order; nil when that is what it knows already.
    public let assignment: [TopicIDPartition]?
    /// Whether nothing is left to give up or to wait for.
    public let isReconciled: Bool
}
