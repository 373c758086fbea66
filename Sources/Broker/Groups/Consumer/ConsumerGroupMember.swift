import KafkaWire

/// One member of a group of the new protocol (KIP-848), as the log makes it.
///
/// Part of a `ConsumerGroup`, which alone changes what is assigned.
public struct ConsumerGroupMember: Hashable, Sendable {
    /// The epoch of a static member that has gone and may come back under another member id.
    public static let epochOfAbsence: Int32 = -2

    public internal(set) var id: String
    public internal(set) var instanceID: String?
    public internal(set) var rackID: String?
    public internal(set) var clientID = ""
    public internal(set) var clientHost = ""
    /// Milliseconds that the member may take to give up partitions.
    public internal(set) var rebalanceTimeout: Int32 = 0
    /// The topics subscribed by name, in order.
    public internal(set) var topicNames: [String] = []
    /// The regular expression subscribed, and the topics that the leader found for it.
    public internal(set) var pattern: SubscribedPattern?
    /// The assignor the member votes for.
    public internal(set) var assignor: ServerAssignor?

    /// Counts the assignments the member was told of: a heartbeat with this epoch proves that it knows the last.
    public internal(set) var epoch: Int32 = 0
    /// The epoch the member may still believe in because the last answer was lost.
    public internal(set) var previousEpoch: Int32 = 0
    /// The epoch under which it began to want what it wants.
    var wantsSince: Int32 = 0
    /// The partitions the member may have, each with the epoch in which it was told so.
    public internal(set) var assigned: [TopicIDPartition: Int32] = [:]
    /// The partitions the member must give up and has not: nobody else may have them yet. With the epochs from
    /// `assigned`, since it may commit what it read of them to the end.
    public internal(set) var revoking: [TopicIDPartition: Int32] = [:]

    /// What else there is to a member that uses the classic protocol; nil for one of the new.
    public internal(set) var classic: ClassicTraits?

    init(id: String) { self.id = id }

    /// Whether the member is static, gone, and its partitions are kept for its return.
    public var isAbsent: Bool { epoch == Self.epochOfAbsence }

    /// Everything subscribed, by name or by pattern.
    var subscription: Set<String> { Set(topicNames).union(pattern?.topicNames ?? []) }

    /// Whether it asks its group for the same as `other` does.
    func wantsTheSame(as other: Self) -> Bool {
        topicNames == other.topicNames && pattern?.regex == other.pattern?.regex && assignor == other.assignor
    }

    /// Takes over what a heartbeat says of the member; what it leaves out stays. A join says all: a static member
    /// that is back may be another program than the one that left.
    mutating func update(from heartbeat: ConsumerGroupHeartbeat) {
        if heartbeat.memberEpoch == 0 {
            topicNames = []
            assignor = nil
            classic = nil
            if heartbeat.pattern == nil { pattern = nil }
        }
        clientID = heartbeat.clientID
        clientHost = heartbeat.clientHost
        if let instance = heartbeat.instanceID { instanceID = instance }
        if let rack = heartbeat.rackID { rackID = rack }
        if heartbeat.rebalanceTimeout >= 0 { rebalanceTimeout = heartbeat.rebalanceTimeout }
        if let names = heartbeat.topicNames { topicNames = Set(names).sorted() }
        if let assignor = heartbeat.assignor { self.assignor = assignor }
        if let found = heartbeat.pattern {
            // What the log says of a pattern already known is newer than what a late heartbeat brings along.
            if found.regex.isEmpty { pattern = nil } else if found.regex != pattern?.regex { pattern = found }
        }
    }
}

/// A regular expression with the names of the topics that the leader found for it, in order.
public struct SubscribedPattern: Hashable, Sendable {
    public var regex: String
    public var topicNames: [String]
}
