import Basics
import KafkaWire
import NIOCore

/// One thing asked of the topics state machine. A command is the *head* of a log entry; only `produce` has a payload
/// besides, the record batch as its producer sent it.
///
/// The large ones but `produce` stand apart, so that a batch's command is copied without looking into it.
public enum Command: Hashable, Sendable {
    case produce(ProduceCommand)
    indirect case createTopic(CreateTopicCommand)
    case deleteTopic(TopicID)
    case createPartitions(TopicID, count: Int32)
    /// Gives out one producer id that was never given out before.
    case allocateProducerID
    indirect case registerBroker(BrokerRegistration)
    /// Names the cluster; the first one counts.
    indirect case initializeCluster(id: String)
    /// Shards other than the metadata shard: the topic was deleted, its partitions are gone.
    case forgetTopic(TopicNumber)
    /// The partition begins at this offset from now on; what lies before it is gone.
    case deleteRecords(PartitionKey, before: Offset)
    indirect case alterTopicConfigs(AlterTopicConfigsCommand)
    /// A piece of a command that is too large for one entry.
    indirect case fragment(CommandFragment)
    indirect case group(GroupCommand)
}

/// Appends one record batch to a partition.
public struct ProduceCommand: Hashable, Sendable {
    public var partition: PartitionKey
    /// Number of records, which is the number of offsets the batch takes.
    public var recordCount: Int32
    public var maxTimestamp: Milliseconds
    /// -1 when the producer is not idempotent.
    public var producerID: Int64
    public var producerEpoch: Int16
    public var baseSequence: Int32
    /// The leader's wall clock when it proposed the batch. Time enters the state machine only so.
    public var proposedAt: Milliseconds
}

/// Creates a topic. The proposing leader draws the id, so that every replica has the same.
public struct CreateTopicCommand: Hashable, Sendable {
    public var name: String
    public var id: TopicID
    public var partitionCount: Int32
    public var replicationFactor: Int16
    /// The configuration keys that differ from the defaults, sorted by name.
    public var configs: [ConfigEntry]

    public struct ConfigEntry: Hashable, Sendable {
        public var name: String
        public var value: String
    }
}

/// Changes the configuration of a topic. The proposer checked the values: whatever a log says is applied, so that
/// replicas of different versions agree.
public struct AlterTopicConfigsCommand: Hashable, Sendable {
    public var topic: TopicID
    /// Whether keys that are not named go back to their defaults.
    public var replacesAll: Bool
    /// Carried out one after the other.
    public var changes: [Change]

    public struct Change: Hashable, Sendable {
        public var name: String
        public var operation: Operation
        /// Empty for ``Operation/delete``.
        public var value: String
    }

    public enum Operation: UInt8, Hashable, Sendable {
        case set = 0
        case delete, append, subtract
    }
}

/// Where clients reach a broker.
public struct BrokerRegistration: Hashable, Sendable {
    public var id: NodeID
    public var host: String
    public var port: Int32
    public var rack: String?

    public init(id: NodeID, host: String, port: Int32, rack: String? = nil) {
        self.id = id
        self.host = host
        self.port = port
        self.rack = rack
    }
}
