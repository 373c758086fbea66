/// Asks for the brokers, the controller, and the topics with their leaders.
public struct MetadataRequest: KafkaRequest {
    public typealias Response = MetadataResponse

    public static let api = ApiKey.metadata
    public static let versions: ClosedRange<Int16> = 0...13
    public static let flexible: Int16 = 9

    public struct Topic: KafkaStruct {
        public var topicID = TopicID.zero
        /// Null when the topic is asked for by id (version 12 on).
        public var name: String?

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.uuid(&topicID, "TopicId", 10...)
            try f.string(&name, "Name", 0..., nullable: 10...)
        }
    }

    /// Null means all topics, and so does an empty list in version 0; from 1 on an empty list means none.
    public var topics: [Topic]? = []
    public var allowAutoTopicCreation = true
    public var includeClusterAuthorizedOperations = false
    public var includeTopicAuthorizedOperations = false

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.array(&topics, "Topics", 0..., nullable: 1...)
        try f.bool(&allowAutoTopicCreation, "AllowAutoTopicCreation", 4..., default: true)
        try f.bool(&includeClusterAuthorizedOperations, "IncludeClusterAuthorizedOperations", 8...10)
        try f.bool(&includeTopicAuthorizedOperations, "IncludeTopicAuthorizedOperations", 8...)
    }
}

/// The cluster as this broker sees it.
public struct MetadataResponse: KafkaResponse {
    public typealias Request = MetadataRequest

    /// Stands for authorized operations that were not asked for.
    public static let operationsOmitted = Int32.min

    public struct Broker: KafkaStruct {
        public var nodeID: Int32 = 0
        public var host = ""
        public var port: Int32 = 0
        public var rack: String?

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&nodeID, "NodeId", 0...)
            try f.string(&host, "Host", 0...)
            try f.int32(&port, "Port", 0...)
            try f.string(&rack, "Rack", 1..., nullable: 1...)
        }
    }

    public struct Topic: KafkaStruct {
        public var errorCode = ErrorCode.none
        public var name: String?
        public var topicID = TopicID.zero
        public var isInternal = false
        public var partitions: [Partition] = []
        public var topicAuthorizedOperations = MetadataResponse.operationsOmitted

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
            try f.string(&name, "Name", 0..., nullable: 12...)
            try f.uuid(&topicID, "TopicId", 10...)
            try f.bool(&isInternal, "IsInternal", 1...)
            try f.array(&partitions, "Partitions", 0...)
            try f.int32(&topicAuthorizedOperations, "TopicAuthorizedOperations", 8..., default: .min)
        }
    }

    public struct Partition: KafkaStruct {
        public var errorCode = ErrorCode.none
        public var partitionIndex: Int32 = 0
        public var leaderID: Int32 = 0
        /// Must grow with every change of the leader: clients ignore metadata with an older epoch.
        public var leaderEpoch: Int32 = -1
        public var replicaNodes: [Int32] = []
        public var isrNodes: [Int32] = []
        public var offlineReplicas: [Int32] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
            try f.int32(&partitionIndex, "PartitionIndex", 0...)
            try f.int32(&leaderID, "LeaderId", 0...)
            try f.int32(&leaderEpoch, "LeaderEpoch", 7..., default: -1)
            try f.array(&replicaNodes, "ReplicaNodes", 0...)
            try f.array(&isrNodes, "IsrNodes", 0...)
            try f.array(&offlineReplicas, "OfflineReplicas", 5...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var brokers: [Broker] = []
    public var clusterID: String?
    public var controllerID: Int32 = -1
    public var topics: [Topic] = []
    public var clusterAuthorizedOperations = MetadataResponse.operationsOmitted
    public var errorCode = ErrorCode.none

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 3...)
        try f.array(&brokers, "Brokers", 0...)
        try f.string(&clusterID, "ClusterId", 2..., nullable: 2...)
        try f.int32(&controllerID, "ControllerId", 1..., default: -1)
        try f.array(&topics, "Topics", 0...)
        try f.int32(&clusterAuthorizedOperations, "ClusterAuthorizedOperations", 8...10, default: .min)
        try f.int16(&errorCode.rawValue, "ErrorCode", 13...)
    }
}
