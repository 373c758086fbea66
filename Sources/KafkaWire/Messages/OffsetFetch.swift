/// Asks how far groups have come.
public struct OffsetFetchRequest: KafkaRequest {
    public typealias Response = OffsetFetchResponse

    public static let api = ApiKey.offsetFetch
    public static let versions: ClosedRange<Int16> = 1...10
    public static let flexible: Int16 = 6

    public struct Topic: KafkaStruct {
        public var name = ""
        public var partitionIndexes: [Int32] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 0...7)
            try f.array(&partitionIndexes, "PartitionIndexes", 0...7)
        }
    }

    public struct Group: KafkaStruct {
        public var groupID = ""
        public var memberID: String?
        public var memberEpoch: Int32 = -1
        public var topics: [GroupTopic]? = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&groupID, "GroupId", 8...)
            try f.string(&memberID, "MemberId", 9..., nullable: 9...)
            try f.int32(&memberEpoch, "MemberEpoch", 9..., default: -1)
            try f.array(&topics, "Topics", 8..., nullable: 8...)
        }
    }

    /// A topic since groups are asked for together.
    public struct GroupTopic: KafkaStruct {
        public var name = ""
        public var topicID = TopicID.zero
        public var partitionIndexes: [Int32] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 8...9)
            try f.uuid(&topicID, "TopicId", 10...)
            try f.array(&partitionIndexes, "PartitionIndexes", 8...)
        }
    }

    public var groupID = ""
    /// Null means all.
    public var topics: [Topic]? = []
    /// What the fields above say from version 8 on.
    public var groups: [Group] = []
    /// Whether offsets that a transaction is about to change are held back.
    public var requireStable = false

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.string(&groupID, "GroupId", 0...7)
        try f.array(&topics, "Topics", 0...7, nullable: 2...7)
        try f.array(&groups, "Groups", 8...)
        try f.bool(&requireStable, "RequireStable", 7...)
    }
}

public struct OffsetFetchResponse: KafkaResponse {
    public typealias Request = OffsetFetchRequest

    public struct Topic: KafkaStruct {
        public var name = ""
        public var partitions: [Partition] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 0...7)
            try f.array(&partitions, "Partitions", 0...7)
        }
    }

    public struct Partition: KafkaStruct {
        public var partitionIndex: Int32 = 0
        public var committedOffset: Int64 = 0
        public var committedLeaderEpoch: Int32 = -1
        public var metadata: String?
        public var errorCode = ErrorCode.none

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&partitionIndex, "PartitionIndex", 0...)
            try f.int64(&committedOffset, "CommittedOffset", 0...)
            try f.int32(&committedLeaderEpoch, "CommittedLeaderEpoch", 5..., default: -1)
            try f.string(&metadata, "Metadata", 0..., nullable: 0...)
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
        }
    }

    public struct Group: KafkaStruct {
        public var groupID = ""
        public var topics: [GroupTopic] = []
        public var errorCode = ErrorCode.none

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&groupID, "GroupId", 8...)
            try f.array(&topics, "Topics", 8...)
            try f.int16(&errorCode.rawValue, "ErrorCode", 8...)
        }
    }

    /// A topic since groups are asked for together.
    public struct GroupTopic: KafkaStruct {
        public var name = ""
        public var topicID = TopicID.zero
        public var partitions: [Partition] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 8...9)
            try f.uuid(&topicID, "TopicId", 10...)
            try f.array(&partitions, "Partitions", 8...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var topics: [Topic] = []
    public var errorCode = ErrorCode.none
    /// What the fields above say from version 8 on.
    public var groups: [Group] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 3...)
        try f.array(&topics, "Topics", 0...7)
        try f.int16(&errorCode.rawValue, "ErrorCode", 2...7)
        try f.array(&groups, "Groups", 8...)
    }
}
