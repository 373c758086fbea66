import Basics
import KafkaWire

/// ConsumerGroupDescribe: state and members of groups of the new protocol.
extension Broker {
    func consumerGroupDescribe(_ request: ConsumerGroupDescribeRequest, _ context: RequestContext) {
        context.respond(ConsumerGroupDescribeResponse { response in
            response.groups = request.groupIDs.map { groupID in
                var described = describe(groupID)
                if request.includeAuthorizedOperations, described.errorCode == .none {
                    described.authorizedOperations = Self.groupOperations
                }
                return described
            }
        })
    }

    private func describe(_ groupID: String) -> ConsumerGroupDescribeResponse.Group {
        ConsumerGroupDescribeResponse.Group { answer in
            answer.groupID = groupID
            do throws(GroupRefusal) {
                let coordinator = try coordinator(ofGroup: groupID)
                guard let group = coordinator.group(groupID)?.consumer else {
                    answer.errorCode = .groupIDNotFound
                    answer.errorMessage = "there is no group of this name that uses the new protocol"
                    return
                }
                answer.groupState = group.state.rawValue
                answer.groupEpoch = group.epoch
                answer.assignmentEpoch = group.epoch
                answer.assignorName = group.assignor.name
                // Beside no error it is a note: clients show it or do not.
                answer.errorMessage = coordinator.holdUp(of: groupID)?.text
                answer.members = group.members.values.sorted { $0.id < $1.id }.map { describe($0, of: group) }
            } catch {
                answer.errorCode = error.code
            }
        }
    }

    private func describe(
        _ member: ConsumerGroupMember, of group: ConsumerGroup
    ) -> ConsumerGroupDescribeResponse.Member {
        ConsumerGroupDescribeResponse.Member {
            $0.memberID = member.id
            $0.instanceID = member.instanceID
            $0.rackID = member.rackID
            $0.memberEpoch = member.epoch
            $0.clientID = member.clientID
            $0.clientHost = "/\(member.clientHost)"
            $0.subscribedTopicNames = member.topicNames
            $0.subscribedTopicRegex = member.pattern?.regex
            $0.assignment = describe(Array(member.assigned.keys), of: group)
            $0.targetAssignment = describe(Array(group.target(of: member.id)), of: group)
            $0.memberType = member.classic == nil ? 1 : 0
        }
    }

    private func describe(
        _ partitions: [TopicIDPartition], of group: ConsumerGroup
    ) -> ConsumerGroupDescribeResponse.Assignment {
        ConsumerGroupDescribeResponse.Assignment {
            // A topic that is deleted has no name any more: tools would show partitions of nothing.
            $0.topicPartitions = partitions.byTopic.compactMap { topic, partitions in
                metadata.topic(topic).map { known in
                    ConsumerGroupDescribeResponse.Topic {
                        $0.topicID = topic
                        $0.topicName = known.name
                        $0.partitions = partitions
                    }
                }
            }
        }
    }
}
