/// Reads record batches, waiting for them if need be.
public struct FetchRequest: KafkaRequest {
    public typealias Response = FetchResponse

    public static let api = ApiKey.fetch
    public static let versions: ClosedRange<Int16> = 4...18
    public static let flexible: Int16 = 12

    /// Who fetches, if it is a broker: carries ``FetchRequest/replicaID`` from version 15 on.
    public struct ReplicaState: KafkaStruct {
        public var replicaID: Int32 = -1
        public var replicaEpoch: Int64 = -1

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&replicaID, "ReplicaId", 15..., default: -1)
            try f.int64(&replicaEpoch, "ReplicaEpoch", 15..., default: -1)
        }
    }

    public struct Topic: KafkaStruct {
        public var name = ""
        public var topicID = TopicID.zero
        public var partitions: [Partition] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Topic", 0...12)
            try f.uuid(&topicID, "TopicId", 13...)
            try f.array(&partitions, "Partitions", 0...)
        }
    }

    public struct Partition: KafkaStruct {
        public var partition: Int32 = 0
        /// -1: do not check.
        public var currentLeaderEpoch: Int32 = -1
        public var fetchOffset: Int64 = 0
        public var lastFetchedEpoch: Int32 = -1
        public var logStartOffset: Int64 = -1
        public var partitionMaxBytes: Int32 = 0
        public var replicaDirectoryID = TopicID.zero
        public var highWatermark = Int64.max

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&partition, "Partition", 0...)
            try f.int32(&currentLeaderEpoch, "CurrentLeaderEpoch", 9..., default: -1)
            try f.int64(&fetchOffset, "FetchOffset", 0...)
            try f.int32(&lastFetchedEpoch, "LastFetchedEpoch", 12..., default: -1)
            try f.int64(&logStartOffset, "LogStartOffset", 5..., default: -1)
            try f.int32(&partitionMaxBytes, "PartitionMaxBytes", 0...)
            try f.uuid(&replicaDirectoryID, "ReplicaDirectoryId", 17..., tag: 0, tagged: 17...)
            try f.int64(&highWatermark, "HighWatermark", 18..., tag: 1, tagged: 18..., default: .max)
        }
    }

    /// Partitions that leave a fetch session (KIP-227).
    public struct ForgottenTopic: KafkaStruct {
        public var name = ""
        public var topicID = TopicID.zero
        public var partitions: [Int32] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Topic", 7...12)
            try f.uuid(&topicID, "TopicId", 13...)
            try f.array(&partitions, "Partitions", 7...)
        }
    }

    public var clusterID: String?
    /// -1 of a consumer.
    public var replicaID: Int32 = -1
    public var replicaState = ReplicaState()
    public var maxWaitMs: Int32 = 0
    public var minBytes: Int32 = 0
    public var maxBytes = Int32.max
    /// 0: read uncommitted; 1: read committed.
    public var isolationLevel: Int8 = 0
    public var sessionID: Int32 = 0
    public var sessionEpoch: Int32 = -1
    public var topics: [Topic] = []
    public var forgottenTopics: [ForgottenTopic] = []
    public var rackID = ""

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.string(&clusterID, "ClusterId", 12..., nullable: 12..., tag: 0, tagged: 12...)
        try f.int32(&replicaID, "ReplicaId", 0...14, default: -1)
        try f.structure(&replicaState, "ReplicaState", 15..., tag: 1, tagged: 15...)
        try f.int32(&maxWaitMs, "MaxWaitMs", 0...)
        try f.int32(&minBytes, "MinBytes", 0...)
        try f.int32(&maxBytes, "MaxBytes", 3..., default: .max)
        try f.int8(&isolationLevel, "IsolationLevel", 4...)
        try f.int32(&sessionID, "SessionId", 7...)
        try f.int32(&sessionEpoch, "SessionEpoch", 7..., default: -1)
        try f.array(&topics, "Topics", 0...)
        try f.array(&forgottenTopics, "ForgottenTopicsData", 7...)
        try f.string(&rackID, "RackId", 11...)
    }
}
