import Basics
import KafkaWire
import Raft

/// CreatePartitions: topics grow, and never shrink.
extension Broker {
    func createPartitions(_ request: CreatePartitionsRequest, _ context: RequestContext) {
        let refuse = {
            context.respond(CreatePartitionsResponse { response in
                response.topics = request.topics.map {
                    Self.result($0.name, .notController, "the metadata leader cannot be reached; try again")
                }
            })
        }
        guard !forwardToMetadataLeader(context, orElse: refuse) else { return }
        let gathering = Gathering<CreatePartitionsResponse.Topic>(count: request.topics.count) { topics in
            context.respond(CreatePartitionsResponse { $0.topics = topics })
        }
        let named = Dictionary(grouping: request.topics, by: \.name)
        for (position, topic) in request.topics.enumerated() {
            guard named[topic.name]?.count == 1 else {
                gathering.set(position, Self.result(topic.name, .invalidRequest, "the request names this topic twice"))
                continue
            }
            grow(topic, validateOnly: request.validateOnly) { gathering.set(position, $0) }
        }
    }

    private func grow(
        _ topic: CreatePartitionsRequest.Topic, validateOnly: Bool,
        completion: @escaping (CreatePartitionsResponse.Topic) -> Void
    ) {
        guard let known = metadata.topic(named: topic.name) else {
            return completion(Self.result(topic.name, .unknownTopicOrPartition, "no such topic"))
        }
        guard topic.count > known.partitionCount, topic.count <= configuration.partitionCountMax else {
            let range = "the topic has \(known.partitionCount), \(configuration.partitionCountMax) is the most"
            return completion(Self.result(topic.name, .invalidPartitions, "ask for more partitions: \(range)"))
        }
        if let assignments = topic.assignments, !assignments.isEmpty {
            guard assignments.count == Int(topic.count - known.partitionCount) else {
                return completion(
                    Self.result(topic.name, .invalidReplicaAssignment, "one assignment for each new partition"))
            }
            let brokers = Set(configuration.voters.map(\.rawValue))
            guard assignments.allSatisfy({ !$0.brokerIDs.isEmpty && brokers.isSuperset(of: $0.brokerIDs) }) else {
                return completion(
                    Self.result(topic.name, .invalidReplicaAssignment, "replicas are brokers of this cluster"))
            }
        }
        guard !validateOnly else { return completion(Self.result(topic.name, .none, nil)) }
        propose(.createPartitions(known.id, count: topic.count), in: metadataShard) { result in
            switch result {
            case .success(.refused(let code)): completion(Self.result(topic.name, code, "the topic changed meanwhile"))
            case .success: completion(Self.result(topic.name, .none, nil))
            case .failure(let error): completion(Self.result(topic.name, error.metadataErrorCode, "\(error)"))
            }
        }
    }

    private static func result(
        _ name: String, _ code: ErrorCode, _ message: String?
    ) -> CreatePartitionsResponse.Topic {
        CreatePartitionsResponse.Topic {
            $0.name = name
            $0.errorCode = code
            $0.errorMessage = message
        }
    }
}
