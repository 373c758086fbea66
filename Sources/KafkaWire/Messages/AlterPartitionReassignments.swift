/// Moves partitions to other brokers (KIP-455).
public struct AlterPartitionReassignmentsRequest: KafkaRequest {
    public typealias Response = AlterPartitionReassignmentsResponse

    public static let api = ApiKey.alterPartitionReassignments
    public static let versions: ClosedRange<Int16> = 0...1
    public static let flexible: Int16 = 0

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
        /// Null cancels a move that is under way.
        public var replicas: [Int32]?

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&partitionIndex, "PartitionIndex", 0...)
            try f.array(&replicas, "Replicas", 0..., nullable: 0..., default: nil)
        }
    }

    public var timeoutMs: Int32 = 60_000
    public var allowReplicationFactorChange = true
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&timeoutMs, "TimeoutMs", 0..., default: 60_000)
        try f.bool(&allowReplicationFactorChange, "AllowReplicationFactorChange", 1..., default: true)
        try f.array(&topics, "Topics", 0...)
    }
}

public struct AlterPartitionReassignmentsResponse: KafkaResponse {
    public typealias Request = AlterPartitionReassignmentsRequest

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
        public var errorCode = ErrorCode.none
        public var errorMessage: String?

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&partitionIndex, "PartitionIndex", 0...)
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
            try f.string(&errorMessage, "ErrorMessage", 0..., nullable: 0...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var allowReplicationFactorChange = true
    public var errorCode = ErrorCode.none
    public var errorMessage: String?
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 0...)
        try f.bool(&allowReplicationFactorChange, "AllowReplicationFactorChange", 1..., default: true)
        try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
        try f.string(&errorMessage, "ErrorMessage", 0..., nullable: 0...)
        try f.array(&topics, "Responses", 0...)
    }
}
