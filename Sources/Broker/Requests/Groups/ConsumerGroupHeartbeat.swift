import Basics
import KafkaWire

/// ConsumerGroupHeartbeat (KIP-848): joins, reports, acknowledgements and goodbyes of members of the new protocol.
extension Broker {
    /// What a member is told to wait between heartbeats while it has partitions to give up or to wait for: the protocol
    /// moves a step with each.
    private static let hurriedHeartbeatInterval: Milliseconds = 500

    func consumerGroupHeartbeat(_ request: ConsumerGroupHeartbeatRequest, _ context: RequestContext) {
        let context = context.withoutBytes
        let answer: ConsumerGroupCoordinator.Completion = { [weak self] result in
            guard let self else { return }
            context.respond(self.response(to: result))
        }
        do throws(ConsumerGroupRefusal) {
            try request.check(version: context.version)
            let consumers = try consumerGroups(request.groupID)
            if request.memberEpoch < 0 {
                consumers.leave(request.leave, request.groupID, completion: answer)
            } else {
                var heartbeat = request.heartbeat
                // Members of version 0 get their id here.
                if heartbeat.memberID.isEmpty { heartbeat.memberID = TopicID(using: &random).description }
                heartbeat.clientID = context.header.clientID ?? ""
                heartbeat.clientHost = context.connection?.remoteHost ?? ""
                consumers.heartbeat(heartbeat, request.groupID, completion: answer)
            }
        } catch {
            answer(.failure(error))
        }
    }

    private func consumerGroups(_ groupID: String) throws(ConsumerGroupRefusal) -> ConsumerGroupCoordinator {
        do throws(GroupRefusal) {
            return try coordinator(ofGroup: groupID).consumers
        } catch {
            throw ConsumerGroupRefusal(error.code, "this broker does not coordinate the group now")
        }
    }

    private func response(
        to result: Result<ConsumerGroupAnswer, ConsumerGroupRefusal>
    ) -> ConsumerGroupHeartbeatResponse {
        ConsumerGroupHeartbeatResponse { response in
            switch result {
            case .failure(let refusal):
                response.errorCode = refusal.code
                response.errorMessage = refusal.message
            case .success(let answer):
                let interval = configuration.groups.consumerHeartbeatInterval
                response.memberID = answer.memberID
                response.memberEpoch = answer.memberEpoch
                response.heartbeatIntervalMs = Int32(
                    clamping: answer.isReconciled ? interval : min(interval, Self.hurriedHeartbeatInterval))
                response.assignment = answer.assignment.map { assignment in
                    ConsumerGroupHeartbeatResponse.Assignment {
                        $0.topicPartitions = assignment.byTopic.map { topic, partitions in
                            TopicPartitions {
                                $0.topicID = topic
                                $0.partitions = partitions
                            }
                        }
                    }
                }
            }
        }
    }
}

extension ConsumerGroupHeartbeatRequest {
    fileprivate var leave: ConsumerGroupLeave {
        ConsumerGroupLeave(
            memberID: memberID, instanceID: instanceID, isTemporary: memberEpoch == MemberEpoch.leaveStatic)
    }

    /// What the member says, without what the broker adds.
    fileprivate var heartbeat: ConsumerGroupHeartbeat {
        var heartbeat = ConsumerGroupHeartbeat(memberID: memberID, memberEpoch: memberEpoch)
        heartbeat.instanceID = instanceID
        heartbeat.rackID = rackID
        heartbeat.rebalanceTimeout = rebalanceTimeoutMs
        heartbeat.topicNames = subscribedTopicNames
        heartbeat.pattern = subscribedTopicRegex.map { SubscribedPattern(regex: $0, topicNames: []) }
        heartbeat.assignor = serverAssignor.flatMap { ServerAssignor(name: $0) }
        heartbeat.owned = topicPartitions?.flatMap { topic in
            topic.partitions.map { TopicIDPartition(topic.topicID, $0) }
        }
        return heartbeat
    }

    /// What must hold whatever the group's state is.
    fileprivate func check(version: Int16) throws(ConsumerGroupRefusal) {
        func require(_ isMet: Bool, _ message: String) throws(ConsumerGroupRefusal) {
            if !isMet { throw ConsumerGroupRefusal(.invalidRequest, message) }
        }
        try require(!groupID.isEmpty, "the group id is empty")
        try require(memberEpoch >= MemberEpoch.leaveStatic, "the member epoch \(memberEpoch) means nothing")
        let mayBeNameless = version == 0 && memberEpoch == MemberEpoch.join
        try require(mayBeNameless || !memberID.isEmpty, "the member id is empty")
        try require(instanceID != "" && rackID != "", "an instance id or rack id that is given must not be empty")
        if memberEpoch == MemberEpoch.leaveStatic {
            try require(instanceID != nil, "only a member with an instance id can leave for a while")
        }
        if memberEpoch == MemberEpoch.join {
            try require(rebalanceTimeoutMs >= 0, "a member that joins must give its rebalance timeout")
            try require(topicPartitions?.isEmpty == true, "a member that joins owns no partitions")
            let isSubscribed = subscribedTopicNames != nil || subscribedTopicRegex != nil
            try require(isSubscribed, "a member that joins must say what it subscribes to")
        }
        if let name = serverAssignor, ServerAssignor(name: name) == nil {
            let known = ServerAssignor.allCases.map(\.name).joined(separator: ", ")
            throw ConsumerGroupRefusal(.unsupportedAssignor, "there is no assignor '\(name)', only: \(known)")
        }
    }
}
