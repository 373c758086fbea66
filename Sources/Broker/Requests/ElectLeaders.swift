import Basics
import KafkaWire

/// ElectLeaders (KIP-460). Leaders are elected by the shards' own majorities, and nobody else can have one elected:
/// what is answered is how things stand.
extension Broker {
    func electLeaders(_ request: ElectLeadersRequest, _ context: RequestContext) {
        context.respond(ElectLeadersResponse { response in
            let isUnclean = request.electionType == ElectLeadersRequest.ElectionType.unclean
            guard isUnclean || request.electionType == ElectLeadersRequest.ElectionType.preferred else {
                response.errorCode = .invalidRequest
                return
            }
            if let wanted = request.topicPartitions {
                response.results = wanted.map { topic in
                    electionResults(topic.topic, topic.partitions, isUnclean: isUnclean)
                }
            } else {
                // Of all partitions, those that have the leader they should have are not worth a word.
                response.results = metadata.sortedTopics.map { topic in
                    electionResults(topic.name, Array(0..<topic.partitionCount), isUnclean: isUnclean)
                }
                for position in response.results.indices {
                    response.results[position].partitions.removeAll { $0.errorCode == .electionNotNeeded }
                }
                response.results.removeAll(where: \.partitions.isEmpty)
            }
        })
    }

    private func electionResults(
        _ name: String, _ partitions: [Int32], isUnclean: Bool
    ) -> ElectLeadersResponse.Topic {
        let known = metadata.topic(named: name)
        return ElectLeadersResponse.Topic { answer in
            answer.topic = name
            answer.partitions = partitions.map { index in
                let refusal: AdminRefusal
                if let known, index >= 0, index < known.partitionCount {
                    refusal = election(in: shard(of: PartitionKey(known.number, index)), isUnclean: isUnclean)
                } else {
                    refusal = AdminRefusal(reasonForNoPartition(of: known), "no such partition")
                }
                return ElectLeadersResponse.Partition {
                    $0.partitionID = index
                    $0.errorCode = refusal.code
                    $0.errorMessage = refusal.message
                }
            }
        }
    }

    private func election(in shard: Shard, isUnclean: Bool) -> AdminRefusal {
        if isUnclean {
            return shard.leader == nil
                ? AdminRefusal(.eligibleLeadersNotAvailable, "a leader needs a majority of the brokers, which elect it")
                : AdminRefusal(.electionNotNeeded, "the partition has a leader")
        }
        return shard.leader?.rawValue == replicas(of: shard).first
            ? AdminRefusal(.electionNotNeeded, "the partition has its preferred leader")
            : AdminRefusal(.preferredLeaderNotAvailable, "this version does not move leaderships between brokers")
    }
}
