/// Asks where a leader epoch ended, to notice a log that was cut back (KIP-320).
public struct OffsetForLeaderEpochRequest: KafkaRequest {
    public typealias Response = OffsetForLeaderEpochResponse

    public static let api = ApiKey.offsetForLeaderEpoch
    public static let versions: ClosedRange<Int16> = 2...4
    public static let flexible: Int16 = 4

    public struct Topic: KafkaStruct {
        public var name = ""
        public var partitions: [Partition] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Topic", 0...)
            try f.array(&partitions, "Partitions", 0...)
        }
    }

    public struct Partition: KafkaStruct {
        public var partition: Int32 = 0
        /// -1: do not check.
        public var currentLeaderEpoch: Int32 = -1
        /// The epoch whose end is asked for.
        public var leaderEpoch: Int32 = 0

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&partition, "Partition", 0...)
            try f.int32(&currentLeaderEpoch, "CurrentLeaderEpoch", 2..., default: -1)
            try f.int32(&leaderEpoch, "LeaderEpoch", 0...)
        }
    }

    /// -1 of a consumer, -2 of a debugging one.
    public var replicaID: Int32 = -2
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&replicaID, "ReplicaId", 3..., default: -2)
        try f.array(&topics, "Topics", 0...)
    }
}

public struct OffsetForLeaderEpochResponse: KafkaResponse {
    public typealias Request = OffsetForLeaderEpochRequest

    public struct Topic: KafkaStruct {
        public var name = ""
        public var partitions: [Partition] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Topic", 0...)
            try f.array(&partitions, "Partitions", 0...)
        }
    }

    public struct Partition: KafkaStruct {
        public var errorCode = ErrorCode.none
        public var partition: Int32 = 0
        /// The largest epoch of the log that is not above the one asked for; -1 if there is none.
        public var leaderEpoch: Int32 = -1
        /// The offset after that epoch's last record; -1 if unknown.
        public var endOffset: Int64 = -1

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
            try f.int32(&partition, "Partition", 0...)
            try f.int32(&leaderEpoch, "LeaderEpoch", 1..., default: -1)
            try f.int64(&endOffset, "EndOffset", 0..., default: -1)
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
