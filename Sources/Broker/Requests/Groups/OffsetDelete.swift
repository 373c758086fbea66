import Basics
import KafkaWire
import Raft

/// OffsetDelete (KIP-496): forgets offsets of topics that the group does not consume any more.
extension Broker {
    func offsetDelete(_ request: OffsetDeleteRequest, _ context: RequestContext) {
        let context = context.withoutBytes
        let refuse: (ErrorCode) -> Void = { code in context.respond(OffsetDeleteResponse { $0.errorCode = code }) }
        do throws(GroupRefusal) {
            let coordinator = try coordinator(ofGroup: request.groupID)
            guard let group = coordinator.group(request.groupID) else { throw GroupRefusal(code: .groupIDNotFound) }
            let subscribed = try topicsInUse(by: group)
            var keys: [PartitionKey] = []
            let topics = request.topics.map { topic in
                OffsetDeleteResponse.Topic { answer in
                    answer.name = topic.name
                    let code = deletion(of: topic, subscribed, &keys)
                    answer.partitions = topic.partitions.map { partition in
                        OffsetDeleteResponse.Partition {
                            $0.partitionIndex = partition.partitionIndex
                            $0.errorCode = code
                        }
                    }
                }
            }
            let response = OffsetDeleteResponse { $0.topics = topics }
            guard !keys.isEmpty else { return context.respond(response) }
            coordinator.propose(.deleteOffsets(keys), to: request.groupID) { result in
                switch result {
                case .success(.refused(let code)): refuse(code)
                case .success: context.respond(response)
                case .failure(let error): refuse(error.groupErrorCode)
                }
            }
        } catch {
            refuse(error.code)
        }
    }

    /// The topics whose offsets must stay because members consume them.
    private func topicsInUse(by group: Group) throws(GroupRefusal) -> Set<String> {
        guard group.hasMembers else { return [] }
        // Of members that do not say what they consume nothing may be deleted.
        guard let topics = group.subscribedTopics else { throw GroupRefusal(code: .nonEmptyGroup) }
        return topics
    }

    private func deletion(
        of topic: OffsetDeleteRequest.Topic, _ subscribed: Set<String>, _ keys: inout [PartitionKey]
    ) -> ErrorCode {
        guard !subscribed.contains(topic.name) else { return .groupSubscribedToTopic }
        guard let known = metadata.topic(named: topic.name) else { return .unknownTopicOrPartition }
        keys += topic.partitions.map { PartitionKey(known.number, $0.partitionIndex) }
        return .none
    }
}
