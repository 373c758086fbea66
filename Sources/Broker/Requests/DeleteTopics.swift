import Basics
import KafkaWire
import Raft

/// DeleteTopics: by name, or by id from version 6 on.
extension Broker {
    func deleteTopics(_ request: DeleteTopicsRequest, _ context: RequestContext) {
        let wanted = context.version >= 6
            ? request.topics
            : request.topicNames.map { name in DeleteTopicsRequest.Topic { $0.name = name } }
        let refuse = {
            context.respond(
                DeleteTopicsResponse { response in
                    response.topics = wanted.map {
                        Self.result($0, .notController, "the metadata leader cannot be reached; try again")
                    }
                })
        }
        guard !forwardToMetadataLeader(context, orElse: refuse) else { return }
        let gathering = Gathering<DeleteTopicsResponse.Topic>(count: wanted.count) { topics in
            context.respond(DeleteTopicsResponse { $0.topics = topics })
        }
        for (position, topic) in wanted.enumerated() {
            delete(topic) { gathering.set(position, $0) }
        }
    }

    private func delete(
        _ topic: DeleteTopicsRequest.Topic, completion: @escaping (DeleteTopicsResponse.Topic) -> Void
    ) {
        guard topic.name == nil || topic.topicID == .zero else {
            return completion(Self.result(topic, .invalidRequest, "give either the name or the id"))
        }
        guard let known = topic.name.map(metadata.topic(named:)) ?? metadata.topic(topic.topicID) else {
            let code = topic.name == nil ? ErrorCode.unknownTopicID : .unknownTopicOrPartition
            return completion(Self.result(topic, code, "no such topic"))
        }
        var named = topic
        named.name = known.name
        named.topicID = known.id
        propose(.deleteTopic(known.id), in: metadataShard) { result in
            switch result {
            case .success(.refused(let code)): completion(Self.result(named, code, "the topic was deleted meanwhile"))
            case .success: completion(Self.result(named, .none, nil))
            case .failure(let error): completion(Self.result(named, error.metadataErrorCode, "\(error)"))
            }
        }
    }

    private static func result(
        _ topic: DeleteTopicsRequest.Topic, _ code: ErrorCode, _ message: String?
    ) -> DeleteTopicsResponse.Topic {
        DeleteTopicsResponse.Topic {
            $0.name = topic.name
            $0.topicID = topic.topicID
            $0.errorCode = code
            $0.errorMessage = message
        }
    }
}
