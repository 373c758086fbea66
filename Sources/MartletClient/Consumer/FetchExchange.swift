import KafkaWire
import NIOCore

/// One Fetch request for partitions of one leader, and what its response says of each of them.
struct FetchExchange {
    struct Answer {
        var partition: TopicPartition
        /// The offset that was asked for.
        var offset: Int64
        /// Nil if the response says nothing of the partition.
        var response: FetchResponse.Partition?
    }

    struct Wanted {
        var partition: TopicPartition
        var offset: Int64
        var leaderEpoch: Int32
    }

    let request: FetchRequest
    /// The highest version the request is good for: from 13 on topics go by id.
    let maximumVersion: Int16
    private let wanted: [Wanted]
    private let names: [TopicID: String]

    init(_ wanted: [Wanted], metadata: ClusterMetadata, _ configuration: ConsumerConfiguration) {
        var topics: [String: FetchRequest.Topic] = [:]
        var names: [TopicID: String] = [:]
        for item in wanted {
            let name = item.partition.topic
            let id = metadata.topics[name]?.id ?? .zero
            names[id] = name
            let fresh = FetchRequest.Topic {
                $0.name = name
                $0.topicID = id
            }
            topics[name, default: fresh].partitions.append(
                .init {
                    $0.partition = item.partition.partition
                    $0.currentLeaderEpoch = item.leaderEpoch
                    $0.fetchOffset = item.offset
                    $0.partitionMaxBytes = Int32(configuration.partitionBytes)
                })
        }
        self.wanted = wanted
        self.names = names
        maximumVersion = names[.zero] == nil ? .max : 12
        request = FetchRequest {
            $0.maxWaitMs = Int32(clamping: TimeAmount(configuration.fetchWait).nanoseconds / 1_000_000)
            $0.minBytes = Int32(configuration.fetchBytesMinimum)
            $0.maxBytes = Int32(configuration.fetchBytes)
            $0.topics = Array(topics.values)
        }
    }

    func answers(_ response: FetchResponse) -> [Answer] {
        var partitions: [TopicPartition: FetchResponse.Partition] = [:]
        for topic in response.topics {
            let name = topic.name.isEmpty ? names[topic.topicID] ?? "" : topic.name
            for partition in topic.partitions {
                partitions[TopicPartition(name, partition.partitionIndex)] = partition
            }
        }
        return wanted.map { Answer(partition: $0.partition, offset: $0.offset, response: partitions[$0.partition]) }
    }
}
