import Basics
import KafkaWire

/// A topic to be created.
public struct NewTopic: Hashable, Sendable {
    public var name: String
    /// Nil for the broker's default.
    public var partitions: Int32?
    /// Nil for the broker's default.
    public var replicationFactor: Int16?
    public var configs: [String: String]

    public init(
        _ name: String, partitions: Int32? = nil, replicationFactor: Int16? = nil, configs: [String: String] = [:]
    ) {
        self.name = name
        self.partitions = partitions
        self.replicationFactor = replicationFactor
        self.configs = configs
    }
}

/// A topic as the cluster describes it.
public struct TopicDescription: Hashable, Sendable {
    public struct Partition: Hashable, Sendable {
        public var index: Int32
        /// Nil while there is none.
        public var leader: Int32?
        /// −1 if the broker does not tell.
        public var leaderEpoch: Int32
        public var replicas: [Int32]
        public var inSyncReplicas: [Int32]
        public var offlineReplicas: [Int32]
    }

    public var name: String
    /// Zero from brokers before Kafka 2.8.
    public var id: TopicID
    public var isInternal: Bool
    public var partitions: [Partition]
}

/// The brokers of a cluster.
public struct ClusterDescription: Hashable, Sendable {
    public struct Broker: Hashable, Sendable {
        public var id: Int32
        public var address: BrokerAddress
        public var rack: String?
    }

    public var clusterID: String?
    /// Nil if there is none now.
    public var controller: Int32?
    /// By id.
    public var brokers: [Broker]
}

/// Which offset of a partition is asked for.
public enum OffsetSpec: Hashable, Sendable {
    /// Of the oldest record.
    case beginning
    /// After the newest record.
    case end
    /// Of the first record with this timestamp or a later one, in milliseconds since 1970.
    case timestamp(Milliseconds)

    var wireTimestamp: Int64 {
        switch self {
        case .beginning: ListOffsetsRequest.Timestamp.earliest
        case .end: ListOffsetsRequest.Timestamp.latest
        case .timestamp(let timestamp): timestamp
        }
    }
}

/// Whose configuration is asked for.
public enum ConfigResource: Hashable, Sendable {
    case topic(String)
    case broker(Int32)
}

/// One setting of a topic or broker.
public struct ConfigEntry: Hashable, Sendable {
    public var name: String
    /// Nil if there is no value or it is a secret.
    public var value: String?
    /// Whether nobody has set it.
    public var isDefault: Bool
    public var isReadOnly: Bool
    public var isSensitive: Bool
}
