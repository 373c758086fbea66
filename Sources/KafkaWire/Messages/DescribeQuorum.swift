/// Asks for the state of the quorum that replicates the metadata (KIP-595).
public struct DescribeQuorumRequest: KafkaRequest {
    public typealias Response = DescribeQuorumResponse

    public static let api = ApiKey.describeQuorum
    public static let versions: ClosedRange<Int16> = 0...2
    public static let flexible: Int16 = 0

    /// What Kafka calls the log of its metadata; clients ask for its partition 0.
    public static let metadataTopic = "__cluster_metadata"

    public struct Topic: KafkaStruct {
        public var topicName = ""
        public var partitions: [Partition] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&topicName, "TopicName", 0...)
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

    public var topics: [Topic] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.array(&topics, "Topics", 0...)
    }
}

public struct DescribeQuorumResponse: KafkaResponse {
    public typealias Request = DescribeQuorumRequest

    public struct Topic: KafkaStruct {
        public var topicName = ""
        public var partitions: [Partition] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&topicName, "TopicName", 0...)
            try f.array(&partitions, "Partitions", 0...)
        }
    }

    public struct Partition: KafkaStruct {
        public var partitionIndex: Int32 = 0
        public var errorCode = ErrorCode.none
        public var errorMessage: String?
        public var leaderID: Int32 = 0
        public var leaderEpoch: Int32 = 0
        public var highWatermark: Int64 = 0
        public var currentVoters: [Replica] = []
        public var observers: [Replica] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&partitionIndex, "PartitionIndex", 0...)
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
            try f.string(&errorMessage, "ErrorMessage", 2..., nullable: 2...)
            try f.int32(&leaderID, "LeaderId", 0...)
            try f.int32(&leaderEpoch, "LeaderEpoch", 0...)
            try f.int64(&highWatermark, "HighWatermark", 0...)
            try f.array(&currentVoters, "CurrentVoters", 0...)
            try f.array(&observers, "Observers", 0...)
        }
    }

    public struct Replica: KafkaStruct {
        public var replicaID: Int32 = 0
        public var replicaDirectoryID = TopicID.zero
        /// -1 when unknown.
        public var logEndOffset: Int64 = 0
        /// Milliseconds since 1970; -1 when unknown.
        public var lastFetchTimestamp: Int64 = -1
        /// Milliseconds since 1970; -1 when unknown.
        public var lastCaughtUpTimestamp: Int64 = -1

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&replicaID, "ReplicaId", 0...)
            try f.uuid(&replicaDirectoryID, "ReplicaDirectoryId", 2...)
            try f.int64(&logEndOffset, "LogEndOffset", 0...)
            try f.int64(&lastFetchTimestamp, "LastFetchTimestamp", 1..., default: -1)
            try f.int64(&lastCaughtUpTimestamp, "LastCaughtUpTimestamp", 1..., default: -1)
        }
    }

    public struct Node: KafkaStruct {
        public var nodeID: Int32 = 0
        public var listeners: [Listener] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&nodeID, "NodeId", 2...)
            try f.array(&listeners, "Listeners", 2...)
        }
    }

    public struct Listener: KafkaStruct {
        public var name = ""
        public var host = ""
        public var port: UInt16 = 0

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 2...)
            try f.string(&host, "Host", 2...)
            try f.uint16(&port, "Port", 2...)
        }
    }

    public var errorCode = ErrorCode.none
    public var errorMessage: String?
    public var topics: [Topic] = []
    public var nodes: [Node] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
        try f.string(&errorMessage, "ErrorMessage", 2..., nullable: 2...)
        try f.array(&topics, "Topics", 0...)
        try f.array(&nodes, "Nodes", 2...)
    }
}
