/// Asks for the offset that belongs to a timestamp.
public struct ListOffsetsRequest: KafkaRequest {
    public typealias Response = ListOffsetsResponse

    public static let api = ApiKey.listOffsets
    public static let versions: ClosedRange<Int16> = 1...10
    public static let flexible: Int16 = 6

    /// Timestamps that are questions of their own.
    public enum Timestamp {
        /// The end of what the reader may see.
        public static let latest: Int64 = -1
        public static let earliest: Int64 = -2
        /// The record with the largest timestamp (version 7 on).
        public static let maximum: Int64 = -3
        /// The earliest record on local disks (version 8 on).
        public static let earliestLocal: Int64 = -4
        /// The latest record in tiered storage (version 9 on).
        public static let latestTiered: Int64 = -5
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
        public var currentLeaderEpoch: Int32 = -1
        public var timestamp: Int64 = 0

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&partitionIndex, "PartitionIndex", 0...)
            try f.int32(&currentLeaderEpoch, "CurrentLeaderEpoch", 4..., default: -1)
            try f.int64(&timestamp, "Timestamp", 0...)
        }
    }

    /// -1 of a consumer.
    public var replicaID: Int32 = 0
    public var isolationLevel: Int8 = 0
    public var topics: [Topic] = []
    public var timeoutMs: Int32 = 0

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&replicaID, "ReplicaId", 0...)
        try f.int8(&isolationLevel, "IsolationLevel", 2...)
        try f.array(&topics, "Topics", 0...)
        try f.int32(&timeoutMs, "TimeoutMs", 10...)
    }
}

public struct ListOffsetsResponse: KafkaResponse {
    public typealias Request = ListOffsetsRequest

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
        /// -1 when there is no such record, or the end or beginning was asked for.
        public var timestamp: Int64 = -1
        public var offset: Int64 = -1
        public var leaderEpoch: Int32 = -1

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&partitionIndex, "PartitionIndex", 0...)
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
            try f.int64(&timestamp, "Timestamp", 1..., default: -1)
            try f.int64(&offset, "Offset", 1..., default: -1)
            try f.int32(&leaderEpoch, "LeaderEpoch", 4..., default: -1)
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
