import KafkaWire

/// One partition of one topic.
public struct TopicPartition: Hashable, Sendable, CustomStringConvertible {
    public var topic: String
    public var partition: Int32

    public init(_ topic: String, _ partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    public var description: String { "\(topic)-\(partition)" }
}

/// The brokers and the leaders of the topics a client has asked for, as of the last answer.
struct ClusterMetadata: Sendable {
    struct Topic: Sendable {
        var id: TopicID
        /// By partition.
        var leaders: [Int32: Leader]
        /// Why the topic cannot be used, if so.
        var error: ErrorCode
    }

    struct Leader: Hashable, Sendable {
        /// −1 while there is none.
        var node: Int32
        /// −1 if the broker does not tell.
        var epoch: Int32
    }

    private(set) var brokers: [Int32: BrokerAddress] = [:]
    private(set) var controller: Int32 = -1
    private(set) var topics: [String: Topic] = [:]

    /// The names of the topics by their ids.
    var namesByID: [TopicID: String] {
        Dictionary(topics.map { ($0.value.id, $0.key) }, uniquingKeysWith: { first, _ in first })
    }

    /// The leader, if there is one and its address is known.
    func leader(of partition: TopicPartition) -> Leader? {
        guard let leader = topics[partition.topic]?.leaders[partition.partition], brokers[leader.node] != nil else {
            return nil
        }
        return leader
    }

    mutating func update(_ response: MetadataResponse) {
        brokers = Dictionary(
            response.brokers.map { ($0.nodeID, BrokerAddress(host: $0.host, port: Int($0.port))) },
            uniquingKeysWith: { _, last in last }
        )
        controller = response.controllerID
        for topic in response.topics {
            guard let name = topic.name else { continue }
            update(name, with: topic)
        }
    }

    /// A broker that is behind may name a leader that is already deposed: of two leaders the one with the newer epoch
    /// counts, as long as it is the same topic and not a new one of that name.
    private mutating func update(_ name: String, with answer: MetadataResponse.Topic) {
        let known = topics[name].flatMap { $0.id == answer.topicID ? $0 : nil }
        var topic = Topic(id: answer.topicID, leaders: [:], error: answer.errorCode)
        for partition in answer.partitions {
            let answered = Leader(node: partition.leaderID, epoch: partition.leaderEpoch)
            let current = known?.leaders[partition.partitionIndex]
            topic.leaders[partition.partitionIndex] =
                if let current, current.epoch > answered.epoch { current } else { answered }
        }
        topics[name] = topic
    }

    /// Takes over what a broker that is no longer the leader says of its successor (KIP-951).
    ///
    /// - Returns: whether it was news.
    mutating func update(
        _ partition: TopicPartition, leader hint: LeaderIDAndEpoch, endpoints: [NodeEndpoint]
    ) -> Bool {
        guard hint.leaderID >= 0, let current = topics[partition.topic]?.leaders[partition.partition],
            hint.leaderEpoch > current.epoch
        else { return false }
        for endpoint in endpoints {
            brokers[endpoint.nodeID] = BrokerAddress(host: endpoint.host, port: Int(endpoint.port))
        }
        guard brokers[hint.leaderID] != nil else { return false }
        topics[partition.topic]?.leaders[partition.partition] = Leader(node: hint.leaderID, epoch: hint.leaderEpoch)
        return true
    }
}
