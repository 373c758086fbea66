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
    private var random: RandomSource
    private(set) var topics: [Topic] = []
    private(set) var lanes: [Lane] = []
    private var leaders: [Lane: Leader] = [:]
    private var isRefreshing = false

    init(_ client: SimulatedClient, random: RandomSource) {
        self.client = client
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
            $0.topics = nil
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
        let known = response.topics.filter { $0.errorCode == .none }
        topics = known.map { Topic(id: $0.topicID, name: $0.name ?? "", partitionCount: Int32($0.partitions.count)) }
        lanes = []
        // A broker that is behind may know less, but whom it names did lead.
        for topic in known {
            for partition in topic.partitions.sorted(by: { $0.partitionIndex < $1.partitionIndex }) {
                let lane = Lane(topic: topic.topicID, partition: partition.partitionIndex)
                lanes.append(lane)
                guard partition.leaderID >= 0, partition.leaderEpoch >= leaders[lane]?.epoch ?? -1 else { continue }
                leaders[lane] = Leader(id: NodeID(partition.leaderID), epoch: partition.leaderEpoch)
            }
        }
    }
}
