/// Asks which partitions are being moved to other brokers (KIP-455).
public struct ListPartitionReassignmentsRequest: KafkaRequest {
    public typealias Response = ListPartitionReassignmentsResponse

    public static let api = ApiKey.listPartitionReassignments
    public static let versions: ClosedRange<Int16> = 0...0
    public static let flexible: Int16 = 0

    public struct Topic: KafkaStruct {
        public var name = ""
        public var partitionIndexes: [Int32] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 0...)
            try f.array(&partitionIndexes, "PartitionIndexes", 0...)
        }
    }

    public var timeoutMs: Int32 = 60_000
    /// Null for all.
    public var topics: [Topic]?

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&timeoutMs, "TimeoutMs", 0..., default: 60_000)
        try f.array(&topics, "Topics", 0..., nullable: 0..., default: nil)
    }
}

public struct ListPartitionReassignmentsResponse: KafkaResponse {
    public typealias Request = ListPartitionReassignmentsRequest

    public struct Topic: KafkaStruct {
        public var name = ""
        public var partitions: [Partition] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 0...)
            try f.array(&partitions, "Partitions", 0...)
        }
    }

    public struct Partition: KafkaStruct {
        public var partitionIndex: Int32 = 0
        public var replicas: [Int32] = []
        public var addingReplicas: [Int32] = []
        public var removingReplicas: [Int32] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&partitionIndex, "PartitionIndex", 0...)
            try f.array(&replicas, "Replicas", 0...)
            try f.array(&addingReplicas, "AddingReplicas", 0...)
            try f.array(&removingReplicas, "RemovingReplicas", 0...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var errorCode = ErrorCode.none
    public var errorMessage: String?
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 0...)
        try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
        try f.string(&errorMessage, "ErrorMessage", 0..., nullable: 0...)
        try f.array(&topics, "Topics", 0...)
    }
}
