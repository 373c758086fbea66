/// Asks for the members and assignments of groups of the newer protocol (KIP-848).
public struct ConsumerGroupDescribeRequest: KafkaRequest {
    public typealias Response = ConsumerGroupDescribeResponse

    public static let api = ApiKey.consumerGroupDescribe
    public static let versions: ClosedRange<Int16> = 0...1
    public static let flexible: Int16 = 0

    public var groupIDs: [String] = []
    public var includeAuthorizedOperations = false

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.array(&groupIDs, "GroupIds", 0...)
        try f.bool(&includeAuthorizedOperations, "IncludeAuthorizedOperations", 0...)
    }
}

public struct ConsumerGroupDescribeResponse: KafkaResponse {
    public typealias Request = ConsumerGroupDescribeRequest

    public struct Group: KafkaStruct {
        public var errorCode = ErrorCode.none
        public var errorMessage: String?
        public var groupID = ""
        /// "Empty", "Assigning", "Reconciling", "Stable" or "Dead".
        public var groupState = ""
        public var groupEpoch: Int32 = 0
        public var assignmentEpoch: Int32 = 0
        public var assignorName = ""
        public var members: [Member] = []
        /// A bit for each operation; the smallest Int32 where it was not asked for.
        public var authorizedOperations = Int32.min

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
            try f.string(&errorMessage, "ErrorMessage", 0..., nullable: 0...)
            try f.string(&groupID, "GroupId", 0...)
            try f.string(&groupState, "GroupState", 0...)
            try f.int32(&groupEpoch, "GroupEpoch", 0...)
            try f.int32(&assignmentEpoch, "AssignmentEpoch", 0...)
            try f.string(&assignorName, "AssignorName", 0...)
            try f.array(&members, "Members", 0...)
            try f.int32(&authorizedOperations, "AuthorizedOperations", 0..., default: .min)
        }
    }

    public struct Member: KafkaStruct {
        public var memberID = ""
        public var instanceID: String?
        public var rackID: String?
        public var memberEpoch: Int32 = 0
        public var clientID = ""
        public var clientHost = ""
        public var subscribedTopicNames: [String] = []
        public var subscribedTopicRegex: String?
        /// What it owns now.
        public var assignment = Assignment()
        /// What it shall own.
        public var targetAssignment = Assignment()
        /// -1 unknown, 0 classic, 1 consumer.
        public var memberType: Int8 = -1

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&memberID, "MemberId", 0...)
            try f.string(&instanceID, "InstanceId", 0..., nullable: 0...)
            try f.string(&rackID, "RackId", 0..., nullable: 0...)
            try f.int32(&memberEpoch, "MemberEpoch", 0...)
            try f.string(&clientID, "ClientId", 0...)
            try f.string(&clientHost, "ClientHost", 0...)
            try f.array(&subscribedTopicNames, "SubscribedTopicNames", 0...)
            try f.string(&subscribedTopicRegex, "SubscribedTopicRegex", 0..., nullable: 0...)
            try f.structure(&assignment, "Assignment", 0...)
            try f.structure(&targetAssignment, "TargetAssignment", 0...)
            try f.int8(&memberType, "MemberType", 1..., default: -1)
        }
    }

    public struct Assignment: KafkaStruct {
        public var topicPartitions: [Topic] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.array(&topicPartitions, "TopicPartitions", 0...)
        }
    }

    public struct Topic: KafkaStruct {
        public var topicID = TopicID.zero
        public var topicName = ""
        public var partitions: [Int32] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.uuid(&topicID, "TopicId", 0...)
            try f.string(&topicName, "TopicName", 0...)
            try f.array(&partitions, "Partitions", 0...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var groups: [Group] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 0...)
        try f.array(&groups, "Groups", 0...)
    }
}
