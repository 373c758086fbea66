import Basics
import KafkaWire

/// A topic of the cluster.
public struct Topic: Hashable, Sendable {
    public var name: String
    public var id: TopicID
    public var number: TopicNumber
    public var partitionCount: Int32
    public var replicationFactor: Int16
    public var config: TopicConfig
}

/// What the cluster as a whole knows: its topics, its brokers, its name. Lives in the metadata shard's log.
///
/// Owner: the `TopicsFSM` of shard 0, on the event loop. A class, so that to ask it for a topic, as every produced
/// batch does, copies nothing else.
public final class ClusterMetadata {
    public private(set) var clusterID: String?
    public private(set) var topics: [String: Topic] = [:]
    /// Counts the changes of the topics: equal on brokers that have applied the same of them.
    public private(set) var topicsRevision: UInt64 = 0
    public private(set) var topicNames: [TopicID: String] = [:]
    private var numbers: [TopicNumber: String] = [:]
    public private(set) var brokers: [NodeID: BrokerRegistration] = [:]
    private var nextTopicNumber: UInt32 = 1
    private var nextProducerID: Int64 = 1
    /// Whether a command was about it since `takeChange` was called last.
    private var isChanged = false

    public init() {}

    public func topic(named name: String) -> Topic? { topics[name] }
    public func topic(_ id: TopicID) -> Topic? { topicNames[id].flatMap { topics[$0] } }
    public func topic(_ number: TopicNumber) -> Topic? { numbers[number].flatMap { topics[$0] } }
    func contains(_ number: TopicNumber) -> Bool { numbers[number] != nil }
    public var sortedTopics: [Topic] { topics.values.sorted { $0.name < $1.name } }
    public var sortedBrokers: [BrokerRegistration] { brokers.values.sorted { $0.id < $1.id } }

    /// Whether a topic with this number was created once, alive or not.
    func wasCreated(_ number: TopicNumber) -> Bool { number.rawValue < nextTopicNumber }

    func create(_ command: CreateTopicCommand) -> CommandResult {
        isChanged = true
        guard topics[command.name] == nil else { return .refused(.topicAlreadyExists) }
        guard !collides(command.name) else { return .refused(.invalidTopicException) }
        let number = TopicNumber(nextTopicNumber)
        nextTopicNumber += 1
        topics[command.name] = Topic(
            name: command.name, id: command.id, number: number, partitionCount: command.partitionCount,
            replicationFactor: command.replicationFactor, config: TopicConfig(command.configs))
        topicNames[command.id] = command.name
        numbers[number] = command.name
        topicsRevision += 1
        return .topic(number)
    }

    /// Whether another topic's name differs only in '.' against '_', which metric names cannot tell apart.
    public func collides(_ name: String) -> Bool {
        guard name.utf8.contains(where: { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_") }) else { return false }
        let plain = Self.withoutDots(name)
        return topics.keys.contains { $0 != name && Self.withoutDots($0) == plain }
    }

    private static func withoutDots(_ name: String) -> String {
        String(name.map { $0 == "." ? "_" : $0 })
    }

    func delete(_ id: TopicID) -> CommandResult {
        isChanged = true
        guard let name = topicNames.removeValue(forKey: id), let topic = topics.removeValue(forKey: name)
        else { return .refused(.unknownTopicID) }
        numbers[topic.number] = nil
        topicsRevision += 1
        return .topic(topic.number)
    }

    func createPartitions(_ id: TopicID, count: Int32) -> CommandResult {
        isChanged = true
        guard let name = topicNames[id], var topic = topics[name] else { return .refused(.unknownTopicOrPartition) }
        guard count > topic.partitionCount else { return .refused(.invalidPartitions) }
        topic.partitionCount = count
        topics[name] = topic
        topicsRevision += 1
        return .topic(topic.number)
    }

    func alter(_ command: AlterTopicConfigsCommand) -> CommandResult {
        isChanged = true
        guard let name = topicNames[command.topic], var topic = topics[name] else {
            return .refused(.unknownTopicOrPartition)
        }
        topic.config = topic.config.altered(by: command.changes, replacingAll: command.replacesAll)
        topics[name] = topic
        return .topic(topic.number)
    }

    func allocateProducerID() -> CommandResult {
        isChanged = true
        defer { nextProducerID += 1 }
        return .producerID(nextProducerID)
    }

    func register(_ broker: BrokerRegistration) -> CommandResult {
        isChanged = true
        brokers[broker.id] = broker
        return .none
    }

    func initialize(id: String) -> CommandResult {
        isChanged = true
        if clusterID == nil { clusterID = id }
        return .none
    }

    /// Whether what all brokers tell their clients may have changed since the last call.
    func takeChange() -> Bool {
        defer { isChanged = false }
        return isChanged
    }
}
