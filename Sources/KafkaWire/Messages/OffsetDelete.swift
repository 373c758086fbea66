/// Forgets how far a group has come.
public struct OffsetDeleteRequest: KafkaRequest {
    public typealias Response = OffsetDeleteResponse

    public static let api = ApiKey.offsetDelete
    public static let versions: ClosedRange<Int16> = 0...0
    public static let flexible: Int16 = .max

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

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&partitionIndex, "PartitionIndex", 0...)
        }
    }

    public var groupID = ""
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.string(&groupID, "GroupId", 0...)
        try f.array(&topics, "Topics", 0...)
    }
}

public struct OffsetDeleteResponse: KafkaResponse {
    public typealias Request = OffsetDeleteRequest

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

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&partitionIndex, "PartitionIndex", 0...)
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
        }
    }

    public var errorCode = ErrorCode.none
    public var throttleTimeMs: Int32 = 0
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 0...)
        try f.array(&topics, "Topics", 0...)
    }
}
