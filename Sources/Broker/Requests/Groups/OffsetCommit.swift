import Basics
import KafkaWire
import Raft

/// OffsetCommit: answered when the offsets are on a majority of disks.
extension Broker {
    func offsetCommit(_ request: OffsetCommitRequest, _ context: RequestContext) {
        let context = context.withoutBytes
        let check = OffsetCommitCheck(broker: self, version: context.version, isCaughtUp: knowsAllTopics)
        var codes = request.topics.map { check.codes(of: $0) }
        let answer: (ErrorCode) -> Void = { code in
            context.respond(Self.response(request, codes, orElse: code))
        }
        do throws(GroupRefusal) {
            let coordinator = try coordinator(ofGroup: request.groupID)
            let now = wallClock()
            let commit = OffsetCommit(
                member: GroupMemberIdentity(request.memberID, instanceID: request.groupInstanceID),
                generation: request.generationIDOrMemberEpoch,
                expiresAt: request.retentionTimeMs < 0 ? -1 : now &+ request.retentionTimeMs,
                offsets: zip(request.topics, codes).flatMap { check.entries(of: $0, $1) })
            coordinator.commit(commit, to: request.groupID, completion: answer)
        } catch {
            codes = codes.map { $0.map { _ in .none } }
            answer(error.code)
        }
    }

    /// - Parameter code: what is said of the partitions that have no error of their own.
    private static func response(
        _ request: OffsetCommitRequest, _ codes: [[ErrorCode]], orElse code: ErrorCode
    ) -> OffsetCommitResponse {
        OffsetCommitResponse { response in
            response.topics = zip(request.topics, codes).map { topic, codes in
                OffsetCommitResponse.Topic {
                    $0.name = topic.name
                    $0.topicID = topic.topicID
                    $0.partitions = zip(topic.partitions, codes).map { partition, own in
                        OffsetCommitResponse.Partition {
                            $0.partitionIndex = partition.partitionIndex
                            $0.errorCode = own == .none ? code : own
                        }
                    }
                }
            }
        }
    }
}

/// What partitions must satisfy before their offsets are proposed.
private struct OffsetCommitCheck {
    let broker: Broker
    let version: Int16
    /// Whether topics that this broker does not know do not exist.
    let isCaughtUp: Bool

    private func topic(_ requested: OffsetCommitRequest.Topic) -> Topic? {
        version >= 10 ? broker.metadata.topic(requested.topicID) : broker.metadata.topic(named: requested.name)
    }

    /// An error for each partition, or `.none` where the offset may be committed.
    func codes(of requested: OffsetCommitRequest.Topic) -> [ErrorCode] {
        let topic = topic(requested)
        return requested.partitions.map { partition in
            guard let topic else {
                guard isCaughtUp else { return .coordinatorLoadInProgress }
                return version >= 10 ? .unknownTopicID : .unknownTopicOrPartition
            }
            guard partition.partitionIndex >= 0, partition.partitionIndex < topic.partitionCount else {
                return .unknownTopicOrPartition
            }
            let metadataBytes = partition.committedMetadata?.utf8.count ?? 0
            return metadataBytes > broker.configuration.groups.offsetMetadataBytesMax ? .offsetMetadataTooLarge : .none
        }
    }

    /// What is to be committed of a topic.
    func entries(of requested: OffsetCommitRequest.Topic, _ codes: [ErrorCode]) -> [OffsetCommit.Entry] {
        guard let topic = topic(requested) else { return [] }
        return zip(requested.partitions, codes).compactMap { partition, code in
            guard code == .none else { return nil }
            return OffsetCommit.Entry(
                partition: PartitionKey(topic.number, partition.partitionIndex), offset: partition.committedOffset,
                leaderEpoch: partition.committedLeaderEpoch, metadata: partition.committedMetadata ?? "")
        }
    }
}

extension GroupCoordinator {
    /// Commits offsets if the member may; a commit is a sign of life too.
    func commit(_ commit: OffsetCommit, to groupID: String, completion: @escaping (ErrorCode) -> Void) {
        let group = group(groupID) ?? Group()
        if let error = group.refusalToCommit(commit) { return completion(error) }
        touch(commit.member.memberID, of: groupID)
        guard !commit.offsets.isEmpty else { return completion(.none) }
        propose(.commitOffsets(commit), to: groupID) { result in
            switch result {
            case .success(.refused(let code)): completion(code)
            case .success: completion(.none)
            case .failure(.commandTooLarge): completion(.invalidCommitOffsetSize)
            case .failure(let error): completion(error.groupErrorCode)
            }
        }
    }
}
