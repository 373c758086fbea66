import Basics
import KafkaWire

/// What one client believes about the cluster: its topics and who leads each partition.
///
/// Owner: the actor whose view it is.
final class ClusterView {
    struct Topic: Hashable {
        let id: TopicID
        let name: String
        let partitionCount: Int32
    }

    struct Leader: Hashable {
        let id: NodeID
        let epoch: Int32
    }

    private let client: SimulatedClient
    /// The topics to ask for; nil for all. Who asks by name is told of a topic that there may be that it may be.
    private let names: [String]?
    private var random: RandomSource
    private(set) var topics: [Topic] = []
    private(set) var lanes: [Lane] = []
    private var leaders: [Lane: Leader] = [:]
    private var isRefreshing = false

    init(_ client: SimulatedClient, names: [String]? = nil, random: RandomSource) {
        self.client = client
        self.names = names
        self.random = random
    }

    func leader(of lane: Lane) -> Leader? { leaders[lane] }

    func name(of lane: Lane) -> String? { topics.first { $0.id == lane.topic }?.name }

    /// Any broker, for what every broker answers.
    func anyBroker() -> NodeID {
        let ids = client.world.brokerIDs
        return ids[Int(random.next() % UInt64(ids.count))]
    }

    /// Asks some broker, once at a time. `completion` is called in any case.
    func refresh(completion: @escaping () -> Void = {}) {
        guard !isRefreshing else { return completion() }
        isRefreshing = true
        let request = MetadataRequest {
            $0.topics = names?.map { name in MetadataRequest.Topic { $0.name = name } }
            $0.allowAutoTopicCreation = false
        }
        client.call(request, to: anyBroker(), timeout: .seconds(2)) { [weak self] result in
            guard let self else { return }
            isRefreshing = false
            if case .success(let response) = result { take(response) }
            completion()
        }
    }

    private func take(_ response: MetadataResponse) {
        let before = topics
        topics = []
        for topic in response.topics {
            let known = before.first { $0.id == topic.topicID || $0.name == topic.name }
            if topic.errorCode == .none {
                take(topic, known)
            } else if topic.errorCode == .leaderNotAvailable, let known {
                topics.append(known)
            }
        }
        lanes = topics.flatMap { topic in
            (0..<topic.partitionCount).map { Lane(topic: topic.id, partition: $0) }
        }
    }

    /// A broker that is behind, or has just started, may know less: partitions never get fewer, and whom it names did
    /// lead.
    private func take(_ topic: MetadataResponse.Topic, _ known: Topic?) {
        let least = known.map { $0.id == topic.topicID ? $0.partitionCount : 0 } ?? 0
        topics.append(
            Topic(
                id: topic.topicID, name: topic.name ?? "", partitionCount: max(least, Int32(topic.partitions.count))))
        for partition in topic.partitions {
            let lane = Lane(topic: topic.topicID, partition: partition.partitionIndex)
            guard partition.leaderID >= 0, partition.leaderEpoch >= leaders[lane]?.epoch ?? -1 else { continue }
            leaders[lane] = Leader(id: NodeID(partition.leaderID), epoch: partition.leaderEpoch)
        }
    }
}
