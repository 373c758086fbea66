import KafkaWire
import NIOCore

extension Cluster {
    /// The offset for a timestamp, or for one of ``ListOffsetsRequest/Timestamp``, in each of the partitions. Tries
    /// again while leaders change.
    ///
    /// - Returns: −1 for a partition that has no record so young.
    func offsets(
        of partitions: [TopicPartition], at timestamp: Int64
    ) async throws(KafkaClientError) -> [TopicPartition: Int64] {
        let deadline = NIODeadline.now() + TimeAmount(configuration.operationTimeout)
        var backoff = Backoff(configuration)
        var found: [TopicPartition: Int64] = [:]
        while true {
            let missing = partitions.filter { found[$0] == nil }
            if missing.isEmpty { return found }
            var failure = KafkaClientError.broker(.leaderNotAvailable, "\(missing[0])")
            let byLeader = Dictionary(grouping: missing) { metadata.leader(of: $0)?.node }
            for (leader, group) in byLeader {
                guard let leader else { continue }
                do {
                    let answers = try await offsets(of: group, at: timestamp, from: leader)
                    found.merge(answers) { _, new in new }
                } catch {
                    guard error.isRetriable else { throw error }
                    failure = error
                }
            }
            if found.count == partitions.count { return found }
            guard .now() < deadline else { throw failure }
            try await pause(backoff.next())
            try? await refreshMetadata()
        }
    }

    /// Of partitions that answer with an error that passes by itself, nothing is returned.
    private func offsets(
        of partitions: [TopicPartition], at timestamp: Int64, from leader: Int32
    ) async throws(KafkaClientError) -> [TopicPartition: Int64] {
        let topics = Dictionary(grouping: partitions, by: \.topic)
        let response = try await request(
            ListOffsetsRequest {
                $0.replicaID = -1
                $0.topics = topics.map { name, partitions in
                    .init {
                        $0.name = name
                        $0.partitions = partitions.map { partition in
                            .init {
                                $0.partitionIndex = partition.partition
                                $0.timestamp = timestamp
                            }
                        }
                    }
                }
            },
            to: .node(leader)
        )
        var found: [TopicPartition: Int64] = [:]
        for topic in response.topics {
            for answer in topic.partitions {
                let partition = TopicPartition(topic.name, answer.partitionIndex)
                if answer.errorCode == .none {
                    found[partition] = answer.offset
                } else if !answer.errorCode.isRetriable {
                    throw .broker(answer.errorCode, "offsets of \(partition)")
                }
            }
        }
        return found
    }
}
