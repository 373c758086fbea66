import Basics
import KafkaWire
import Raft

/// DeleteRecords: moves the beginning of partitions up, through the log of their shards. Answered when applied.
extension Broker {
    func deleteRecords(_ request: DeleteRecordsRequest, _ context: RequestContext) {
        let wanted = request.topics.flatMap { topic in topic.partitions.map { (topic.name, $0) } }
        let gathering = Gathering<DeleteRecordsResponse.Partition>(count: wanted.count) { partitions in
            context.respond(DeleteRecordsResponse { response in
                var rest = partitions[...]
                response.topics = request.topics.map { topic in
                    let own = rest.prefix(topic.partitions.count)
                    rest = rest.dropFirst(topic.partitions.count)
                    return DeleteRecordsResponse.Topic {
                        $0.name = topic.name
                        $0.partitions = Array(own)
                    }
                }
            })
        }
        for (position, (name, partition)) in wanted.enumerated() {
            deleteRecords(name, partition) { outcome in
                gathering.set(position, DeleteRecordsResponse.Partition { answer in
                    answer.partitionIndex = partition.partitionIndex
                    switch outcome {
                    case .success(let logStart): answer.lowWatermark = logStart.rawValue
                    case .failure(let refusal):
                        answer.lowWatermark = -1
                        answer.errorCode = refusal.code
                    }
                })
            }
        }
    }

    /// The offset that stands for all that is committed when the request is taken.
    private static let highWatermark: Int64 = -1

    private func deleteRecords(
        _ name: String, _ partition: DeleteRecordsRequest.Partition,
        completion: @escaping (Result<Offset, AdminRefusal>) -> Void
    ) {
        func refuse(_ code: ErrorCode) { completion(.failure(AdminRefusal(code, ""))) }
        let known = metadata.topic(named: name)
        guard let topic = known, partition.partitionIndex >= 0, partition.partitionIndex < topic.partitionCount
        else { return refuse(reasonForNoPartition(of: known)) }
        let key = PartitionKey(topic.number, partition.partitionIndex)
        let shard = shard(of: key)
        guard shard.isServing else { return refuse(.notLeaderOrFollower) }
        let end = shard.state(of: key)?.nextOffset ?? .zero
        let offset = partition.offset == Self.highWatermark ? end : Offset(partition.offset)
        // Whether there is so much to delete, the log must say: this broker may have been deposed without knowing it.
        guard offset >= .zero else { return refuse(.offsetOutOfRange) }
        propose(.deleteRecords(key, before: offset), in: shard) { result in
            switch result {
            case .success(.logStart(let logStart)): completion(.success(logStart))
            case .success(.refused(let code)): refuse(code)
            case .success: preconditionFailure("the state machine answers a deletion with the beginning or a refusal")
            case .failure(.notLeader), .failure(.leadershipLost): refuse(.notLeaderOrFollower)
            case .failure(let error): refuse(error.metadataErrorCode)
            }
        }
    }
}
