import Basics
import KafkaWire

/// DescribeTopicPartitions (KIP-966): topics in the order of their names, so many partitions at a time.
extension Broker {
    /// Most partitions of one response (Kafka's `max.request.partition.size.limit`).
    private static let partitionsPerResponseMax = 2_000

    func describeTopicPartitions(_ request: DescribeTopicPartitionsRequest, _ context: RequestContext) {
        let start = request.cursor
        let names = request.topics.isEmpty
            ? metadata.sortedTopics.map(\.name) : Set(request.topics.map(\.name)).sorted()
        var left = min(max(Int(request.responsePartitionLimit), 1), Self.partitionsPerResponseMax)
        context.respond(DescribeTopicPartitionsResponse { response in
            for name in names where name >= start?.topicName ?? "" {
                guard left > 0 else {
                    response.nextCursor = .init { $0.topicName = name }
                    return
                }
                guard let topic = metadata.topic(named: name) else {
                    response.topics.append(missingTopic(name))
                    continue
                }
                let first = start?.topicName == name ? min(max(start?.partitionIndex ?? 0, 0), topic.partitionCount) : 0
                let end = min(topic.partitionCount, first + Int32(left))
                response.topics.append(page(of: topic, first..<end))
                left -= Int(end - first)
                if end < topic.partitionCount {
                    response.nextCursor = .init {
                        $0.topicName = name
                        $0.partitionIndex = end
                    }
                    return
                }
            }
        })
    }

    private func missingTopic(_ name: String) -> DescribeTopicPartitionsResponse.Topic {
        DescribeTopicPartitionsResponse.Topic {
            $0.name = name
            $0.errorCode = knowsAllTopics ? .unknownTopicOrPartition : .leaderNotAvailable
            if !TopicName.isValid(name) { $0.errorCode = .invalidTopicException }
        }
    }

    private func page(of topic: Topic, _ partitions: Range<Int32>) -> DescribeTopicPartitionsResponse.Topic {
        DescribeTopicPartitionsResponse.Topic { answer in
            answer.name = topic.name
            answer.topicID = topic.id
            answer.partitions = partitions.map { index in
                let shard = shard(of: PartitionKey(topic.number, index))
                let replicas = replicas(of: shard), leader = reachableLeader(of: shard)
                return DescribeTopicPartitionsResponse.Partition {
                    $0.errorCode = leader == nil ? .leaderNotAvailable : .none
                    $0.partitionIndex = index
                    $0.leaderID = leader?.rawValue ?? -1
                    $0.leaderEpoch = shard.leaderEpoch
                    $0.replicaNodes = replicas
                    $0.isrNodes = replicas
                    $0.eligibleLeaderReplicas = []
                    $0.lastKnownELR = []
                }
            }
        }
    }
}
