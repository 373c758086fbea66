/// Stores how far a group has come in its partitions.
public struct OffsetCommitRequest: KafkaRequest {
    public typealias Response = OffsetCommitResponse

    public static let api = ApiKey.offsetCommit
    public static let versions: ClosedRange<Int16> = 2...10
    public static let flexible: Int16 = 8

    public struct Topic: KafkaStruct {
        public var name = ""
        public var topicID = TopicID.zero
        public var partitions: [Partition] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 0...9)
            try f.uuid(&topicID, "TopicId", 10...)
            try f.array(&partitions, "Partitions", 0...)
        }
    }

    public struct Partition: KafkaStruct {
        public var partitionIndex: Int32 = 0
        public var committedOffset: Int64 = 0
        public var committedLeaderEpoch: Int32 = -1
        public var committedMetadata: String?

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&partitionIndex, "PartitionIndex", 0...)
            try f.int64(&committedOffset, "CommittedOffset", 0...)
            try f.int32(&committedLeaderEpoch, "CommittedLeaderEpoch", 6..., default: -1)
            try f.string(&committedMetadata, "CommittedMetadata", 0..., nullable: 0...)
        }
    }

    public var groupID = ""
    /// -1 of a consumer that is no member.
    public var generationIDOrMemberEpoch: Int32 = -1
    public var memberID = ""
    public var groupInstanceID: String?
    /// How long the offsets are to be kept; -1: as long as the broker does.
    public var retentionTimeMs: Int64 = -1
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.string(&groupID, "GroupId", 0...)
        try f.int32(&generationIDOrMemberEpoch, "GenerationIdOrMemberEpoch", 1..., default: -1)
        try f.string(&memberID, "MemberId", 1...)
        try f.string(&groupInstanceID, "GroupInstanceId", 7..., nullable: 7...)
        try f.int64(&retentionTimeMs, "RetentionTimeMs", 2...4, default: -1)
        try f.array(&topics, "Topics", 0...)
    }
}

public struct OffsetCommitResponse: KafkaResponse {
    public typealias Request = OffsetCommitRequest

    public struct Topic: KafkaStruct {
        public var name = ""
        public var topicID = TopicID.zero
        public var partitions: [Partition] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 0...9)
            try f.uuid(&topicID, "TopicId", 10...)
            try f.array(&partitions, "Partitions", 0...)
        }
    }

    public struct Partition: KafkaStruct {
        public var partitionIndex: Int32 = 0
        public var errorCode = ErrorCode.none

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&partitionIndex, "PartitionIndex", 0...)
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 3...)
        try f.array(&topics, "Topics", 0...)
    }
}
