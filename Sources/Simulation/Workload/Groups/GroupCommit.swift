import KafkaWire

/// One lane's part of an OffsetCommit under way.
struct GroupCommit {
    let holding: GroupReader.Holding
    let offset: Int64
    /// As the checker counts it.
    let number: Int
    let name: String
    /// Whether another member had the lane already when this was sent.
    let isOvertaken: Bool
    let isUnmistakable: Bool

    init(_ holding: GroupReader.Holding, number: Int, name: String, isOvertaken: Bool, isUnmistakable: Bool) {
        self.holding = holding
        self.number = number
        self.name = name
        self.isOvertaken = isOvertaken
        self.isUnmistakable = isUnmistakable
        offset = holding.position ?? 0
    }

    static func request(
        _ commits: [GroupCommit], _ plan: GroupPlan, _ identity: GroupReader.Identity
    ) -> OffsetCommitRequest {
        let byLane = Dictionary(uniqueKeysWithValues: commits.map { ($0.holding.lane, $0) })
        return OffsetCommitRequest { request in
            request.groupID = plan.id
            request.memberID = identity.memberID
            request.groupInstanceID = identity.instanceID
            request.generationIDOrMemberEpoch = identity.epoch
            request.topics = GroupReader.byTopic(Array(byLane.keys)).map { topic, lanes in
                OffsetCommitRequest.Topic {
                    $0.topicID = topic
                    $0.name = byLane[lanes[0]]?.name ?? ""
                    $0.partitions = lanes.compactMap { byLane[$0]?.partition }
                }
            }
        }
    }

    private var partition: OffsetCommitRequest.Partition {
        OffsetCommitRequest.Partition {
            $0.partitionIndex = holding.lane.partition
            $0.committedOffset = offset
            $0.committedMetadata = "\(number)"
        }
    }

    /// What is said of this lane; nil without an answer.
    func answer(in response: OffsetCommitResponse?, isNamed: Bool) -> ErrorCode? {
        let topic = response?.topics.first { isNamed ? $0.name == name : $0.topicID == holding.lane.topic }
        return topic?.partitions.first { $0.partitionIndex == holding.lane.partition }?.errorCode
    }

    static func outcome(of code: ErrorCode?) -> CommittedOffsets.Outcome {
        switch code {
        case nil, .notCoordinator?, .coordinatorNotAvailable?, .coordinatorLoadInProgress?: .unknown
        case ErrorCode.none?: .acknowledged
        default: .refused
        }
    }
}
