/// A member's word in a group of the newer protocol (KIP-848): joins, reports, acknowledges and leaves.
///
/// Members send everything when they join and after an error, else only what changed; null stands for "as before".
public struct ConsumerGroupHeartbeatRequest: KafkaRequest {
    public typealias Response = ConsumerGroupHeartbeatResponse

    public static let api = ApiKey.consumerGroupHeartbeat
    public static let versions: ClosedRange<Int16> = 0...1
    public static let flexible: Int16 = 0

    /// Member epochs that are words of their own.
    public enum MemberEpoch {
        public static let join: Int32 = 0
        public static let leave: Int32 = -1
        /// A static member leaves and will come back.
        public static let leaveStatic: Int32 = -2
    }

    public var groupID = ""
    /// Made by the member from version 1 on; empty in version 0 when it joins.
    public var memberID = ""
    public var memberEpoch: Int32 = 0
    public var instanceID: String?
    public var rackID: String?
    /// -1: as before.
    public var rebalanceTimeoutMs: Int32 = -1
    public var subscribedTopicNames: [String]?
    /// RE2 syntax; the broker finds the topics.
    public var subscribedTopicRegex: String?
    public var serverAssignor: String?
    /// What the member owns now.
    public var topicPartitions: [TopicPartitions]?

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.string(&groupID, "GroupId", 0...)
        try f.string(&memberID, "MemberId", 0...)
        try f.int32(&memberEpoch, "MemberEpoch", 0...)
        try f.string(&instanceID, "InstanceId", 0..., nullable: 0...)
        try f.string(&rackID, "RackId", 0..., nullable: 0...)
        try f.int32(&rebalanceTimeoutMs, "RebalanceTimeoutMs", 0..., default: -1)
        try f.array(&subscribedTopicNames, "SubscribedTopicNames", 0..., nullable: 0..., default: nil)
        try f.string(&subscribedTopicRegex, "SubscribedTopicRegex", 1..., nullable: 1...)
        try f.string(&serverAssignor, "ServerAssignor", 0..., nullable: 0...)
        try f.array(&topicPartitions, "TopicPartitions", 0..., nullable: 0..., default: nil)
    }
}

/// Partitions of one topic, which goes by its id.
public struct TopicPartitions: KafkaStruct {
    public var topicID = TopicID.zero
    public var partitions: [Int32] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.uuid(&topicID, "TopicId", 0...)
        try f.array(&partitions, "Partitions", 0...)
    }
}

public struct ConsumerGroupHeartbeatResponse: KafkaResponse {
    public typealias Request = ConsumerGroupHeartbeatRequest

    /// What the member may own.
    public struct Assignment: KafkaStruct {
        public var topicPartitions: [TopicPartitions] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.array(&topicPartitions, "TopicPartitions", 0...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var errorCode = ErrorCode.none
    public var errorMessage: String?
    public var memberID: String?
    public var memberEpoch: Int32 = 0
    public var heartbeatIntervalMs: Int32 = 0
    /// Null: as before.
    public var assignment: Assignment?

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 0...)
        try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
        try f.string(&errorMessage, "ErrorMessage", 0..., nullable: 0...)
        try f.string(&memberID, "MemberId", 0..., nullable: 0...)
        try f.int32(&memberEpoch, "MemberEpoch", 0...)
        try f.int32(&heartbeatIntervalMs, "HeartbeatIntervalMs", 0...)
        try f.structure(&assignment, "Assignment", 0..., nullable: 0...)
    }
}
