import Basics
import KafkaWire

/// OffsetForLeaderEpoch (KIP-101, KIP-320): lets a client find out whether what it read was cut off.
extension Broker {
    func offsetForLeaderEpoch(_ request: OffsetForLeaderEpochRequest, _ context: RequestContext) {
        context.respond(OffsetForLeaderEpochResponse { response in
            response.topics = request.topics.map { topic in
                OffsetForLeaderEpochResponse.Topic {
                    $0.name = topic.name
                    $0.partitions = topic.partitions.map { endOffset(topic.name, $0) }
                }
            }
        })
    }

    private func endOffset(
        _ name: String, _ partition: OffsetForLeaderEpochRequest.Partition
    ) -> OffsetForLeaderEpochResponse.Partition {
        OffsetForLeaderEpochResponse.Partition { answer in
            answer.partition = partition.partition
            let known = metadata.topic(named: name)
            guard let topic = known, partition.partition >= 0, partition.partition < topic.partitionCount else {
                answer.errorCode = reasonForNoPartition(of: known)
                return
            }
            let key = PartitionKey(topic.number, partition.partition)
            let shard = shard(of: key)
            if let error = shard.reasonNotToServe(clientEpoch: partition.currentLeaderEpoch) {
                answer.errorCode = error
                return
            }
            guard partition.leaderEpoch <= shard.leaderEpoch else { return }
            guard let end = shard.state(of: key)?.endOffset(ofEpoch: partition.leaderEpoch) else {
                // Nothing that old was ever written here: the log begins where this epoch would have ended.
                answer.leaderEpoch = partition.leaderEpoch
                answer.endOffset = (shard.state(of: key)?.logStart ?? .zero).rawValue
                return
            }
            answer.leaderEpoch = end.epoch
            answer.endOffset = end.endOffset.rawValue
        }
    }
}
