import Basics
import KafkaWire
import NIOCore
import Raft

/// OffsetFetch: how far groups have come. Read only after a quorum has said that this broker still leads: a deposed one
/// would show offsets that others have moved on from.
extension Broker {
    func offsetFetch(_ request: OffsetFetchRequest, _ context: RequestContext) {
        let context = context.withoutBytes
        guard context.version < 8 else { return offsetFetch(groups: request, context) }
        readOffsets(of: request.groupID, for: context) { [weak self] result in
            guard let self else { return }
            context.respond(self.response(request, result, version: context.version))
        }
    }

    private func offsetFetch(groups request: OffsetFetchRequest, _ context: RequestContext) {
        let gathering = Gathering<OffsetFetchResponse.Group>(count: request.groups.count) { groups in
            context.respond(OffsetFetchResponse { $0.groups = groups })
        }
        for (position, wanted) in request.groups.enumerated() {
            readOffsets(of: wanted.groupID, for: context) { [weak self] result in
                guard let self else { return }
                gathering.set(position, self.describe(wanted, result, version: context.version))
            }
        }
    }

    private typealias OffsetsCompletion = (Result<Group, GroupRefusal>) -> Void

    /// The group as its coordinator knows it, which must be this broker; one that nobody knows has nothing committed.
    ///
    /// What passes with an election is waited for: librdkafka asks a few times within milliseconds, and then leaves the
    /// partitions that it was assigned unread until the next rebalance.
    private func readOffsets(of groupID: String, for context: RequestContext, completion: @escaping OffsetsCompletion) {
        readOffsets(of: groupID, for: context, waitingUntil: loop.now + Self.coordinatorWait, completion)
    }

    private func readOffsets(
        of groupID: String, for context: RequestContext, waitingUntil end: NIODeadline,
        _ completion: @escaping OffsetsCompletion
    ) {
        readOffsetsNow(of: groupID) { [weak self] result in
            guard let self, case .failure(let refusal) = result, loop.now < end, context.isWanted,
                passesWithAnElection(refusal, groupID)
            else { return completion(result) }
            let bound = NIOLoopBound((self, context, completion), eventLoop: loop)
            loop.scheduleTask(in: .milliseconds(50)) {
                let (broker, context, completion) = bound.value
                broker.readOffsets(of: groupID, for: context, waitingUntil: end, completion)
            }
        }
    }

    /// Whether this broker may coordinate the group in a moment, or know who does.
    private func passesWithAnElection(_ refusal: GroupRefusal, _ groupID: String) -> Bool {
        switch refusal.code {
        case .coordinatorLoadInProgress: true
        case .notCoordinator: shard(ofGroup: groupID).leader == nil
        default: false
        }
    }

    private func readOffsetsNow(of groupID: String, completion: @escaping OffsetsCompletion) {
        do throws(GroupRefusal) {
            let coordinator = try coordinator(ofGroup: groupID)
            shard(ofGroup: groupID).node.verifyLeader { [weak self] result in
                guard let self else { return }
                switch result {
                case .success: completion(self.complete(coordinator.group(groupID) ?? Group()))
                case .failure(let error): completion(.failure(GroupRefusal(code: error.groupErrorCode)))
                }
            }
        } catch {
            completion(.failure(error))
        }
    }

    /// The group, unless it has offsets of topics that this broker has not heard of yet: their names would not be
    /// found, and a consumer that is told that nothing is committed begins somewhere else.
    private func complete(_ group: Group) -> Result<Group, GroupRefusal> {
        group.offsets.partitions.keys.allSatisfy { metadata.wasCreated($0.topic) }
            ? .success(group) : .failure(GroupRefusal(code: .coordinatorLoadInProgress))
    }

    // MARK: One group, before version 8

    private func response(
        _ request: OffsetFetchRequest, _ result: Result<Group, GroupRefusal>, version: Int16
    ) -> OffsetFetchResponse {
        OffsetFetchResponse { response in
            switch result {
            case .failure(let refusal):
                response.errorCode = refusal.code
                // Version 1 has no other place for an error.
                guard version < 2 else { return }
                response.topics = (request.topics ?? []).map { topic in
                    OffsetFetchResponse.Topic {
                        $0.name = topic.name
                        $0.partitions = topic.partitionIndexes.map { Self.offset($0, nil, refusal.code) }
                    }
                }
            case .success(let group):
                if let topics = request.topics {
                    response.topics = topics.map { wanted in
                        Self.describe(wanted.name, metadata.topic(named: wanted.name), wanted.partitionIndexes, group)
                    }
                } else {
                    response.topics = committedTopics(group).map { Self.describe($0.name, $0, $1, group) }
                }
            }
        }
    }

    private static func describe(
        _ name: String, _ topic: Topic?, _ partitions: [Int32], _ group: Group
    ) -> OffsetFetchResponse.Topic {
        OffsetFetchResponse.Topic {
            $0.name = name
            $0.partitions = partitions.map { offset($0, topic, in: group) }
        }
    }

    // MARK: Many groups

    private func describe(
        _ wanted: OffsetFetchRequest.Group, _ result: Result<Group, GroupRefusal>, version: Int16
    ) -> OffsetFetchResponse.Group {
        OffsetFetchResponse.Group { answer in
            answer.groupID = wanted.groupID
            switch result {
            case .failure(let refusal):
                answer.errorCode = refusal.code
            case .success(let group):
                let refusal = group.consumer?.reasonToRefuseFetch(
                    memberID: wanted.memberID, memberEpoch: wanted.memberEpoch)
                if let refusal {
                    answer.errorCode = refusal
                } else if let topics = wanted.topics {
                    answer.topics = topics.map { describe($0, in: group, version: version) }
                } else {
                    answer.topics = committedTopics(group).map { topic, partitions in
                        Self.describe(topic, partitions, in: group)
                    }
                }
            }
        }
    }

    private func describe(
        _ wanted: OffsetFetchRequest.GroupTopic, in group: Group, version: Int16
    ) -> OffsetFetchResponse.GroupTopic {
        let topic = version >= 10 ? metadata.topic(wanted.topicID) : metadata.topic(named: wanted.name)
        if let topic { return Self.describe(topic, wanted.partitionIndexes, in: group) }
        // By its name a topic that is not there has no offset; an id that nobody knows is a mistake or comes too early.
        let code: ErrorCode = version >= 10 ? .unknownTopicID : .none
        return OffsetFetchResponse.GroupTopic {
            $0.name = wanted.name
            $0.topicID = wanted.topicID
            $0.partitions = wanted.partitionIndexes.map { Self.offset($0, nil, code) }
        }
    }

    private static func describe(
        _ topic: Topic, _ partitions: [Int32], in group: Group
    ) -> OffsetFetchResponse.GroupTopic {
        OffsetFetchResponse.GroupTopic {
            $0.name = topic.name
            $0.topicID = topic.id
            $0.partitions = partitions.map { offset($0, topic, in: group) }
        }
    }

    // MARK: Partitions

    /// The topics that the group has offsets for, with their partitions; without those that are deleted already.
    private func committedTopics(_ group: Group) -> [(topic: Topic, partitions: [Int32])] {
        Dictionary(grouping: group.offsets.partitions.keys, by: \.topic)
            .compactMap { number, keys in metadata.topic(number).map { ($0, keys.map(\.partition).sorted()) } }
            .sorted { $0.0.name < $1.0.name }
    }

    private static func offset(_ partition: Int32, _ topic: Topic?, in group: Group) -> OffsetFetchResponse.Partition {
        offset(partition, topic.flatMap { group.offsets[PartitionKey($0.number, partition)] }, .none)
    }

    /// -1 where nothing is committed.
    private static func offset(
        _ partition: Int32, _ committed: GroupOffsets.Committed?, _ code: ErrorCode
    ) -> OffsetFetchResponse.Partition {
        OffsetFetchResponse.Partition {
            $0.partitionIndex = partition
            $0.committedOffset = committed?.offset ?? -1
            $0.committedLeaderEpoch = committed?.leaderEpoch ?? -1
            $0.metadata = committed?.metadata ?? ""
            $0.errorCode = code
        }
    }
}
