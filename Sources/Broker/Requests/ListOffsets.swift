import Basics
import KafkaWire
import Logging
import NIOCore
import SegmentLog

/// ListOffsets (KIP-79): offsets at the ends of a partition, and by time.
extension Broker {
    func listOffsets(_ request: ListOffsetsRequest, _ context: RequestContext) {
        let wanted = request.topics.flatMap { topic in topic.partitions.map { (topic.name, $0) } }
        let gathering = Gathering<ListOffsetsResponse.Partition>(count: wanted.count) { partitions in
            context.respond(ListOffsetsResponse { response in
                var rest = partitions[...]
                response.topics = request.topics.map { topic in
                    let own = rest.prefix(topic.partitions.count)
                    rest = rest.dropFirst(topic.partitions.count)
                    return ListOffsetsResponse.Topic {
                        $0.name = topic.name
                        $0.partitions = Array(own)
                    }
                }
            })
        }
        for (position, (name, partition)) in wanted.enumerated() {
            findOffset(name, partition, version: context.version) { gathering.set(position, $0) }
        }
    }

    private func findOffset(
        _ name: String, _ partition: ListOffsetsRequest.Partition, version: Int16,
        completion: @escaping (ListOffsetsResponse.Partition) -> Void
    ) {
        var answer = ListOffsetsResponse.Partition { $0.partitionIndex = partition.partitionIndex }
        func refuse(_ code: ErrorCode) {
            answer.errorCode = code
            completion(answer)
        }
        let known = metadata.topic(named: name)
        guard let topic = known, partition.partitionIndex >= 0, partition.partitionIndex < topic.partitionCount
        else { return refuse(reasonForNoPartition(of: known)) }
        let key = PartitionKey(topic.number, partition.partitionIndex)
        let shard = shard(of: key)
        if let error = shard.reasonNotToServe(clientEpoch: partition.currentLeaderEpoch) { return refuse(error) }
        let state = shard.state(of: key)
        func finish(_ result: Result<TimestampSearch.Found?, any Error>) {
            switch result {
            case .success(let found):
                if let found {
                    answer.offset = found.offset.rawValue
                    answer.timestamp = found.timestamp
                    answer.leaderEpoch = found.leaderEpoch
                }
                completion(answer)
            case .failure(let error):
                logger.error(
                    "the log cannot be searched", metadata: ["partition": "\(key)", "error": "\(error)"])
                refuse(.kafkaStorageError)
            }
        }
        typealias Special = ListOffsetsRequest.Timestamp
        switch partition.timestamp {
        case Special.latest:
            answer.offset = (state?.nextOffset ?? .zero).rawValue
            answer.leaderEpoch = shard.leaderEpoch
            completion(answer)
        case Special.earliest, Special.earliestLocal:
            let start = state?.logStart ?? .zero
            answer.offset = start.rawValue
            answer.leaderEpoch = state?.epoch(at: start) ?? -1
            completion(answer)
        case Special.latestTiered:
            completion(answer)
        case Special.maximum:
            guard let state else { return completion(answer) }
            TimestampSearch.newest(in: BatchReader(shard: shard, state: state, key: key), completion: finish)
        case 0...:
            guard let state else { return completion(answer) }
            TimestampSearch.first(
                notBefore: partition.timestamp, in: BatchReader(shard: shard, state: state, key: key),
                completion: finish)
        default:
            refuse(.unsupportedVersion)
        }
    }
}
