/// Moves the beginning of partitions up: what lies before it is gone.
public struct DeleteRecordsRequest: KafkaRequest {
    public typealias Response = DeleteRecordsResponse

    public static let api = ApiKey.deleteRecords
    public static let versions: ClosedRange<Int16> = 0...2
    public static let flexible: Int16 = 2

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
        /// The first offset to keep; -1 for the high watermark.
        public var offset: Int64 = 0

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&partitionIndex, "PartitionIndex", 0...)
            try f.int64(&offset, "Offset", 0...)
        }
    }

    public var topics: [Topic] = []
    public var timeoutMs: Int32 = 0

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.array(&topics, "Topics", 0...)
        try f.int32(&timeoutMs, "TimeoutMs", 0...)
    }
}

public struct DeleteRecordsResponse: KafkaResponse {
    public typealias Request = DeleteRecordsRequest

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
        /// Where the partition begins now; -1 with an error.
        public var lowWatermark: Int64 = 0
        public var errorCode = ErrorCode.none

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&partitionIndex, "PartitionIndex", 0...)
            try f.int64(&lowWatermark, "LowWatermark", 0...)
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 0...)
        try f.array(&topics, "Topics", 0...)
    }
}
