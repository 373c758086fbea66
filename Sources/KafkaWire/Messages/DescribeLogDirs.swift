/// Asks for the directories in which a broker keeps its logs, and for the sizes of its partitions (KIP-113).
public struct DescribeLogDirsRequest: KafkaRequest {
    public typealias Response = DescribeLogDirsResponse

    public static let api = ApiKey.describeLogDirs
    public static let versions: ClosedRange<Int16> = 1...5
    public static let flexible: Int16 = 2

    public struct Topic: KafkaStruct {
        public var topic = ""
        public var partitions: [Int32] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&topic, "Topic", 0...)
            try f.array(&partitions, "Partitions", 0...)
        }
    }

    /// Null for all.
    public var topics: [Topic]? = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.array(&topics, "Topics", 0..., nullable: 0...)
    }
}

public struct DescribeLogDirsResponse: KafkaResponse {
    public typealias Request = DescribeLogDirsRequest

    public struct Directory: KafkaStruct {
        public var errorCode = ErrorCode.none
        public var logDir = ""
        public var topics: [Topic] = []
        /// Bytes of the volume; -1 when unknown.
        public var totalBytes: Int64 = -1
        /// Bytes of the volume that are free; -1 when unknown.
        public var usableBytes: Int64 = -1
        public var isCordoned = false

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
            try f.string(&logDir, "LogDir", 0...)
            try f.array(&topics, "Topics", 0...)
            try f.int64(&totalBytes, "TotalBytes", 4..., default: -1)
            try f.int64(&usableBytes, "UsableBytes", 4..., default: -1)
            try f.bool(&isCordoned, "IsCordoned", 5...)
        }
    }

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
        public var partitionSize: Int64 = 0
        /// How far the replica is behind the high watermark.
        public var offsetLag: Int64 = 0
        public var isFutureKey = false

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&partitionIndex, "PartitionIndex", 0...)
            try f.int64(&partitionSize, "PartitionSize", 0...)
            try f.int64(&offsetLag, "OffsetLag", 0...)
            try f.bool(&isFutureKey, "IsFutureKey", 0...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var errorCode = ErrorCode.none
    public var results: [Directory] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 0...)
        try f.int16(&errorCode.rawValue, "ErrorCode", 3...)
        try f.array(&results, "Results", 0...)
    }
}
