import KafkaWire
import NIOCore

/// One Produce request for batches of different partitions, and what its response means for each of them.
struct ProduceExchange {
    struct Outcome {
        var partition: TopicPartition
        var order: UInt64
        var result: PartitionPipeline.Outcome
        /// Whether the broker said that it is not the leader, or does not know the topic.
        var needsMetadata = false
        /// The leader as the broker knows it; id −1 if it says nothing.
        var leader = LeaderIDAndEpoch()
    }

    /// A batch that was sent, without its bytes.
    private struct Item {
        let partition: TopicPartition
        let order: UInt64
    }

    let request: ProduceRequest
    /// The highest version the request is good for: from 13 on topics go by id.
    let maximumVersion: Int16
    private let items: [Item]
    private let names: [TopicID: String]

    init(_ batches: [ProducerBatch], metadata: ClusterMetadata, _ configuration: ProducerConfiguration) {
        var topics: [String: ProduceRequest.Topic] = [:]
        var names: [TopicID: String] = [:]
        for batch in batches {
            let name = batch.delivery.partition.topic
            let id = metadata.topics[name]?.id ?? .zero
            names[id] = name
            let fresh = ProduceRequest.Topic {
                $0.name = name
                $0.topicID = id
            }
            topics[name, default: fresh].partitions.append(
                .init {
                    $0.index = batch.delivery.partition.partition
                    $0.records = batch.bytes
                })
        }
        self.names = names
        items = batches.map { Item(partition: $0.delivery.partition, order: $0.order) }
        maximumVersion = names[.zero] == nil ? .max : 12
        request = ProduceRequest {
            $0.acks = configuration.acknowledgement.rawValue
            $0.timeoutMs = Self.brokerTimeoutMs
            $0.topics = SmallArray(topics.values)
        }
    }

    /// How long the broker may wait for its replicas; Kafka's default.
    private static let brokerTimeoutMs: Int32 = 30_000

    func outcomes(_ result: Result<ProduceResponse, KafkaClientError>) -> [Outcome] {
        switch result {
        case .success(let response): outcomes(response)
        case .failure(let error): items.map { failed($0, error) }
        }
    }

    /// - Parameter result: whether the system has taken the bytes.
    func outcomes(unanswered result: Result<Void, KafkaClientError>) -> [Outcome] {
        switch result {
        case .success:
            items.map { Outcome(partition: $0.partition, order: $0.order, result: .stored(.init())) }
        case .failure(let error): items.map { failed($0, error) }
        }
    }

    private func failed(_ item: Item, _ error: KafkaClientError) -> Outcome {
        // Of a request that was never written the batch is certainly not stored.
        let mayBeStored = error.code == .connectionClosed || error.code == .requestTimedOut || error.code == .closed
        var reported = error
        reported.mayHaveBeenStored = mayBeStored
        return Outcome(
            partition: item.partition, order: item.order,
            result: error.isRetriable ? .retriable(error, mayBeStored: mayBeStored) : .refused(reported),
            needsMetadata: error.isRetriable
        )
    }

    private func outcomes(_ response: ProduceResponse) -> [Outcome] {
        var answers: [TopicPartition: ProduceResponse.Partition] = [:]
        for topic in response.topics {
            let name = topic.name.isEmpty ? names[topic.topicID] ?? "" : topic.name
            for partition in topic.partitions { answers[TopicPartition(name, partition.index)] = partition }
        }
        return items.map { item in
            guard let answer = answers[item.partition] else {
                let error = KafkaClientError(
                    .invalidResponse, "the Produce response says nothing of \(item.partition)")
                return failed(item, error)
            }
            return Outcome(
                partition: item.partition, order: item.order, result: meaning(of: answer, item.partition),
                needsMetadata: answer.errorCode.isAboutLeadership, leader: answer.currentLeader
            )
        }
    }

    private func meaning(
        of answer: ProduceResponse.Partition, _ partition: TopicPartition
    ) -> PartitionPipeline.Outcome {
        let code = answer.errorCode
        let error = KafkaClientError.broker(code, "\(partition)", message: answer.errorMessage)
        switch code {
        case .none:
            return .stored(
                .init(
                    baseOffset: answer.baseOffset >= 0 ? answer.baseOffset : nil,
                    appendTime: answer.logAppendTimeMs >= 0 ? answer.logAppendTimeMs : nil))
        // Stored by an earlier attempt, so long ago that the broker does not know the offset any more.
        case .duplicateSequenceNumber:
            return .stored(.init())
        case .outOfOrderSequenceNumber, .unknownProducerID, .invalidProducerEpoch:
            return .outOfOrder(error)
        default:
            guard code.isRetriable else { return .refused(error) }
            return .retriable(error, mayBeStored: code == .requestTimedOut || code == .notEnoughReplicasAfterAppend)
        }
    }
}

extension ErrorCode {
    /// Whether newer metadata may show another leader, or another topic of the name.
    var isAboutLeadership: Bool {
        switch self {
        case .notLeaderOrFollower, .leaderNotAvailable, .unknownTopicOrPartition, .unknownTopicID,
            .inconsistentTopicID, .fencedLeaderEpoch, .unknownLeaderEpoch, .replicaNotAvailable, .kafkaStorageError,
            .listenerNotFound:
            true
        default: false
        }
    }
}
