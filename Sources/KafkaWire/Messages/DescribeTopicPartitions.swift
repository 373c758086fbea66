/// Describes topics page by page (KIP-966).
public struct DescribeTopicPartitionsRequest: KafkaRequest {
    public typealias Response = DescribeTopicPartitionsResponse

    public static let api = ApiKey.describeTopicPartitions
    public static let versions: ClosedRange<Int16> = 0...0
    public static let flexible: Int16 = 0

    public struct Topic: KafkaStruct {
        public var name = ""

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 0...)
        }
    }

    /// None for all.
    public var topics: [Topic] = []
    public var responsePartitionLimit: Int32 = 2_000
    /// The first partition wanted.
    public var cursor: TopicPartitionCursor?

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.array(&topics, "Topics", 0...)
        try f.int32(&responsePartitionLimit, "ResponsePartitionLimit", 0..., default: 2_000)
        try f.structure(&cursor, "Cursor", 0..., nullable: 0...)
    }
}

/// A place in the topics by name and their partitions by number.
public struct TopicPartitionCursor: KafkaStruct {
    public var topicName = ""
    public var partitionIndex: Int32 = 0

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.string(&topicName, "TopicName", 0...)
        try f.int32(&partitionIndex, "PartitionIndex", 0...)
    }
}

public struct DescribeTopicPartitionsResponse: KafkaResponse {
    public typealias Request = DescribeTopicPartitionsRequest

    public struct Topic: KafkaStruct {
        public var errorCode = ErrorCode.none
        public var name: String?
        public var topicID = TopicID.zero
        public var isInternal = false
        public var partitions: [Partition] = []
        /// A bit for each operation; the smallest Int32 where it was not asked for.
        public var topicAuthorizedOperations: Int32 = .min

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
            try f.string(&name, "Name", 0..., nullable: 0...)
            try f.uuid(&topicID, "TopicId", 0...)
            try f.bool(&isInternal, "IsInternal", 0...)
            try f.array(&partitions, "Partitions", 0...)
            try f.int32(&topicAuthorizedOperations, "TopicAuthorizedOperations", 0..., default: .min)
        }
    }

    public struct Partition: KafkaStruct {
        public var errorCode = ErrorCode.none
        public var partitionIndex: Int32 = 0
        public var leaderID: Int32 = 0
        public var leaderEpoch: Int32 = -1
        public var replicaNodes: [Int32] = []
        public var isrNodes: [Int32] = []
        /// Java's admin client takes null for a mistake: send an empty array.
        public var eligibleLeaderReplicas: [Int32]?
        public var lastKnownELR: [Int32]?
        public var offlineReplicas: [Int32] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
            try f.int32(&partitionIndex, "PartitionIndex", 0...)
            try f.int32(&leaderID, "LeaderId", 0...)
            try f.int32(&leaderEpoch, "LeaderEpoch", 0..., default: -1)
            try f.array(&replicaNodes, "ReplicaNodes", 0...)
            try f.array(&isrNodes, "IsrNodes", 0...)
            try f.array(&eligibleLeaderReplicas, "EligibleLeaderReplicas", 0..., nullable: 0..., default: nil)
            try f.array(&lastKnownELR, "LastKnownElr", 0..., nullable: 0..., default: nil)
            try f.array(&offlineReplicas, "OfflineReplicas", 0...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var topics: [Topic] = []
    /// Where the next page begins; null after the last.
    public var nextCursor: TopicPartitionCursor?

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 0...)
        try f.array(&topics, "Topics", 0...)
        try f.structure(&nextCursor, "NextCursor", 0..., nullable: 0...)
    }
}
