/// Asks for an election of the leaders of partitions (KIP-460).
public struct ElectLeadersRequest: KafkaRequest {
    public typealias Response = ElectLeadersResponse

    public static let api = ApiKey.electLeaders
    public static let versions: ClosedRange<Int16> = 0...2
    public static let flexible: Int16 = 2

    public enum ElectionType {
        /// The first replica, if it is in sync.
        public static let preferred: Int8 = 0
        /// Any replica, even at the price of records.
        public static let unclean: Int8 = 1
    }

    public struct Topic: KafkaStruct {
        public var topic = ""
        public var partitions: [Int32] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&topic, "Topic", 0...)
            try f.array(&partitions, "Partitions", 0...)
        }
    }

    /// See ``ElectionType``.
    public var electionType: Int8 = 0
    /// Null for all.
    public var topicPartitions: [Topic]? = []
    public var timeoutMs: Int32 = 60_000

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int8(&electionType, "ElectionType", 1...)
        try f.array(&topicPartitions, "TopicPartitions", 0..., nullable: 0...)
        try f.int32(&timeoutMs, "TimeoutMs", 0..., default: 60_000)
    }
}

public struct ElectLeadersResponse: KafkaResponse {
    public typealias Request = ElectLeadersRequest

    public struct Topic: KafkaStruct {
        public var topic = ""
        public var partitions: [Partition] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&topic, "Topic", 0...)
            try f.array(&partitions, "PartitionResult", 0...)
        }
    }

    public struct Partition: KafkaStruct {
        public var partitionID: Int32 = 0
        public var errorCode = ErrorCode.none
        public var errorMessage: String?

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&partitionID, "PartitionId", 0...)
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
            try f.string(&errorMessage, "ErrorMessage", 0..., nullable: 0...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var errorCode = ErrorCode.none
    public var results: [Topic] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 0...)
        try f.int16(&errorCode.rawValue, "ErrorCode", 1...)
        try f.array(&results, "ReplicaElectionResults", 0...)
    }
}
