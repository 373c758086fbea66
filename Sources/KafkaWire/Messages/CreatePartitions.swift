/// Gives topics more partitions.
public struct CreatePartitionsRequest: KafkaRequest {
    public typealias Response = CreatePartitionsResponse

    public static let api = ApiKey.createPartitions
    public static let versions: ClosedRange<Int16> = 0...3
    public static let flexible: Int16 = 2

    public struct Topic: KafkaStruct {
        public var name = ""
        /// The number of partitions afterwards.
        public var count: Int32 = 0
        /// Null leaves the choice to the broker.
        public var assignments: [Assignment]? = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 0...)
            try f.int32(&count, "Count", 0...)
            try f.array(&assignments, "Assignments", 0..., nullable: 0...)
        }
    }

    /// The brokers that shall have a new partition.
    public struct Assignment: KafkaStruct {
        public var brokerIDs: [Int32] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.array(&brokerIDs, "BrokerIds", 0...)
        }
    }

    public var topics: [Topic] = []
    public var timeoutMs: Int32 = 0
    public var validateOnly = false

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.array(&topics, "Topics", 0...)
        try f.int32(&timeoutMs, "TimeoutMs", 0...)
        try f.bool(&validateOnly, "ValidateOnly", 0...)
    }
}

public struct CreatePartitionsResponse: KafkaResponse {
    public typealias Request = CreatePartitionsRequest

    public struct Topic: KafkaStruct {
        public var name = ""
        public var errorCode = ErrorCode.none
        public var errorMessage: String?

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 0...)
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
            try f.string(&errorMessage, "ErrorMessage", 0..., nullable: 0...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 0...)
        try f.array(&topics, "Results", 0...)
    }
}
