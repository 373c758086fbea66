/// Record batches, as they are stored.
public struct FetchResponse: KafkaResponse {
    public typealias Request = FetchRequest

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
        public var partitionIndex: Int32 = 0
        public var errorCode = ErrorCode.none
        public var highWatermark: Int64 = 0
        public var lastStableOffset: Int64 = -1
        public var logStartOffset: Int64 = -1
        public var divergingEpoch = EpochEndOffset()
        public var currentLeader = LeaderIDAndEpoch()
        public var snapshotID = SnapshotID()
        /// Null to a consumer that reads uncommitted records.
        public var abortedTransactions: [AbortedTransaction]? = []
        public var preferredReadReplica: Int32 = -1
        /// Empty, never null, when there is nothing: some clients expect the blob to be there.
        public var records = Records()

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&partitionIndex, "PartitionIndex", 0...)
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
            try f.int64(&highWatermark, "HighWatermark", 0...)
            try f.int64(&lastStableOffset, "LastStableOffset", 4..., default: -1)
            try f.int64(&logStartOffset, "LogStartOffset", 5..., default: -1)
            try f.structure(&divergingEpoch, "DivergingEpoch", 12..., tag: 0, tagged: 12...)
            try f.structure(&currentLeader, "CurrentLeader", 12..., tag: 1, tagged: 12...)
            try f.structure(&snapshotID, "SnapshotId", 12..., tag: 2, tagged: 12...)
            try f.array(&abortedTransactions, "AbortedTransactions", 4..., nullable: 4...)
            try f.int32(&preferredReadReplica, "PreferredReadReplica", 11..., default: -1)
            try f.records(&records, "Records", 0..., nullable: 0...)
        }
    }

    /// Where the fetcher's log parts from this one (KIP-595).
    public struct EpochEndOffset: KafkaStruct {
        public var epoch: Int32 = -1
        public var endOffset: Int64 = -1

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&epoch, "Epoch", 12..., default: -1)
            try f.int64(&endOffset, "EndOffset", 12..., default: -1)
        }
    }

    public struct SnapshotID: KafkaStruct {
        public var endOffset: Int64 = -1
        public var epoch: Int32 = -1

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int64(&endOffset, "EndOffset", 0..., default: -1)
            try f.int32(&epoch, "Epoch", 0..., default: -1)
        }
    }

    public struct AbortedTransaction: KafkaStruct {
        public var producerID: Int64 = 0
        public var firstOffset: Int64 = 0

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int64(&producerID, "ProducerId", 4...)
            try f.int64(&firstOffset, "FirstOffset", 4...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var errorCode = ErrorCode.none
    /// 0 declines a session: the client goes on sending full fetches.
    public var sessionID: Int32 = 0
    public var topics: [Topic] = []
    /// Where the leaders named in this response are found (KIP-951).
    public var nodeEndpoints: [NodeEndpoint] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 1...)
        try f.int16(&errorCode.rawValue, "ErrorCode", 7...)
        try f.int32(&sessionID, "SessionId", 7...)
        try f.array(&topics, "Responses", 0...)
        try f.array(&nodeEndpoints, "NodeEndpoints", 16..., tag: 0, tagged: 16...)
    }
}
