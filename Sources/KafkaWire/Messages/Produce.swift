import NIOCore

/// Appends record batches to partitions.
///
/// Versions 0–2 carried older record formats; they are advertised but not read (see ``ApiVersionTable``).
public struct ProduceRequest: KafkaRequest {
    public typealias Response = ProduceResponse

    public static let api = ApiKey.produce
    public static let versions: ClosedRange<Int16> = 3...13
    public static let flexible: Int16 = 9

    public struct Topic: KafkaStruct {
        public var name = ""
        public var topicID = TopicID.zero
        public var partitions: SmallArray<Partition> = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 0...12)
            try f.uuid(&topicID, "TopicId", 13...)
            try f.array(&partitions, "PartitionData", 0...)
        }
    }

    public struct Partition: KafkaStruct {
        public var index: Int32 = 0
        /// A slice of the request's frame. ``RecordBatchHeader`` tells whether it is the one batch it must be.
        public var records: ByteBuffer?

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&index, "Index", 0...)
            try f.records(&records, "Records", 0..., nullable: 0...)
        }
    }

    public var transactionalID: String?
    /// 0: no response at all; 1: the leader has it; -1: all in-sync replicas have it.
    public var acks: Int16 = 0
    public var timeoutMs: Int32 = 0
    public var topics: SmallArray<Topic> = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.string(&transactionalID, "TransactionalId", 3..., nullable: 3...)
        try f.int16(&acks, "Acks", 0...)
        try f.int32(&timeoutMs, "TimeoutMs", 0...)
        try f.array(&topics, "TopicData", 0...)
    }
}

/// What became of each partition's batch.
public struct ProduceResponse: KafkaResponse {
    public typealias Request = ProduceRequest

    public struct Topic: KafkaStruct {
        public var name = ""
        public var topicID = TopicID.zero
        public var partitions: SmallArray<Partition> = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 0...12)
            try f.uuid(&topicID, "TopicId", 13...)
            try f.array(&partitions, "PartitionResponses", 0...)
        }
    }

    public struct Partition: KafkaStruct {
        public var index: Int32 = 0
        public var errorCode = ErrorCode.none
        public var baseOffset: Int64 = 0
        /// -1 unless the broker set the timestamps.
        public var logAppendTimeMs: Int64 = -1
        public var logStartOffset: Int64 = -1
        public var recordErrors: [RecordError] = []
        public var errorMessage: String?
        public var currentLeader = LeaderIDAndEpoch()

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&index, "Index", 0...)
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
            try f.int64(&baseOffset, "BaseOffset", 0...)
            try f.int64(&logAppendTimeMs, "LogAppendTimeMs", 2..., default: -1)
            try f.int64(&logStartOffset, "LogStartOffset", 5..., default: -1)
            try f.array(&recordErrors, "RecordErrors", 8...)
            try f.string(&errorMessage, "ErrorMessage", 8..., nullable: 8...)
            try f.structure(&currentLeader, "CurrentLeader", 10..., tag: 0, tagged: 10...)
        }
    }

    /// A record for which its whole batch was refused (KIP-467).
    public struct RecordError: KafkaStruct {
        public var batchIndex: Int32 = 0
        public var batchIndexErrorMessage: String?

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&batchIndex, "BatchIndex", 8...)
            try f.string(&batchIndexErrorMessage, "BatchIndexErrorMessage", 8..., nullable: 8...)
        }
    }

    public var topics: SmallArray<Topic> = []
    public var throttleTimeMs: Int32 = 0
    /// Where the leaders named in this response are found (KIP-951).
    public var nodeEndpoints: [NodeEndpoint] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.array(&topics, "Responses", 0...)
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 1...)
        try f.array(&nodeEndpoints, "NodeEndpoints", 10..., tag: 0, tagged: 10...)
    }
}
