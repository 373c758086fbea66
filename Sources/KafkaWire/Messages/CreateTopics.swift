/// Creates topics.
public struct CreateTopicsRequest: KafkaRequest {
    public typealias Response = CreateTopicsResponse

    public static let api = ApiKey.createTopics
    public static let versions: ClosedRange<Int16> = 2...7
    public static let flexible: Int16 = 5

    public struct Topic: KafkaStruct {
        public var name = ""
        /// -1: the broker's default, or as many as there are assignments.
        public var numPartitions: Int32 = 0
        /// -1: the broker's default, or as the assignments say.
        public var replicationFactor: Int16 = 0
        public var assignments: [Assignment] = []
        public var configs: [Config] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 0...)
            try f.int32(&numPartitions, "NumPartitions", 0...)
            try f.int16(&replicationFactor, "ReplicationFactor", 0...)
            try f.array(&assignments, "Assignments", 0...)
            try f.array(&configs, "Configs", 0...)
        }
    }

    /// The brokers that shall have a partition.
    public struct Assignment: KafkaStruct {
        public var partitionIndex: Int32 = 0
        public var brokerIDs: [Int32] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&partitionIndex, "PartitionIndex", 0...)
            try f.array(&brokerIDs, "BrokerIds", 0...)
        }
    }

    public struct Config: KafkaStruct {
        public var name = ""
        public var value: String?

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 0...)
            try f.string(&value, "Value", 0..., nullable: 0...)
        }
    }

    public var topics: [Topic] = []
    public var timeoutMs: Int32 = 60_000
    public var validateOnly = false

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.array(&topics, "Topics", 0...)
        try f.int32(&timeoutMs, "timeoutMs", 0..., default: 60_000)
        try f.bool(&validateOnly, "validateOnly", 1...)
    }
}

public struct CreateTopicsResponse: KafkaResponse {
    public typealias Request = CreateTopicsRequest

    public struct Topic: KafkaStruct {
        public var name = ""
        public var topicID = TopicID.zero
        public var errorCode = ErrorCode.none
        public var errorMessage: String?
        /// Why the configs are not told, if they are not.
        public var topicConfigErrorCode = ErrorCode.none
        public var numPartitions: Int32 = -1
        public var replicationFactor: Int16 = -1
        /// Empty, never null, on success: Java's admin client does not expect null.
        public var configs: [Config]? = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 0...)
            try f.uuid(&topicID, "TopicId", 7...)
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
            try f.string(&errorMessage, "ErrorMessage", 1..., nullable: 0...)
            try f.int16(&topicConfigErrorCode.rawValue, "TopicConfigErrorCode", 5..., tag: 0, tagged: 5...)
            try f.int32(&numPartitions, "NumPartitions", 5..., default: -1)
            try f.int16(&replicationFactor, "ReplicationFactor", 5..., default: -1)
            try f.array(&configs, "Configs", 5..., nullable: 5...)
        }
    }

    public struct Config: KafkaStruct {
        public var name = ""
        public var value: String?
        public var readOnly = false
        public var configSource: Int8 = -1
        public var isSensitive = false

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 5...)
            try f.string(&value, "Value", 5..., nullable: 5...)
            try f.bool(&readOnly, "ReadOnly", 5...)
            try f.int8(&configSource, "ConfigSource", 5..., default: -1)
            try f.bool(&isSensitive, "IsSensitive", 5...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 2...)
        try f.array(&topics, "Topics", 0...)
    }
}
