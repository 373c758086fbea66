import Basics
import KafkaWire
import NIOCore
import Raft

/// Groups whose members do not all use the same protocol (KIP-848, online migration).
extension ConsumerGroupCoordinator {
    // MARK: From the classic protocol to the new one

    /// Converts a classic group for a member of the new protocol that joins. Conversion and join follow one another in
    /// the log, so that nobody takes the group for one that may go back.
    func convert(
        _ classic: ClassicGroup, _ groupID: String, for join: ConsumerGroupCommand, completion: @escaping Completion
    ) {
        do throws(ConsumerGroupRefusal) {
            let topics = try topicsToConvert(classic)
            guard var converted = ConsumerGroup(converting: classic, topics) else {
                throw ConsumerGroupRefusal(.groupIDNotFound, "the members' metadata is not that of consumers")
            }
            if case .failure(let refusal) = converted.apply(join) { throw refusal }
            propose(.convert(topics), groupID) { _ in }
        } catch {
            return completion(.failure(error))
        }
        submitJoin(join, groupID, completion: completion)
    }

    /// When it is applied, the group may have begun to rebalance by the classic protocol, or got its first members.
    func submitJoin(_ join: ConsumerGroupCommand, _ groupID: String, completion: @escaping Completion) {
        let converts = configuration.migration.convertsToConsumer
        submit(join, groupID) { result in
            if converts, case .failure(let refusal) = result, refusal.code == .groupIDNotFound {
                return completion(.failure(Self.rebalances))
            }
            completion(result)
        }
    }

    /// Clients try again after a while.
    private static let rebalances = ConsumerGroupRefusal(
        .coordinatorLoadInProgress, "the group rebalances by the classic protocol and changes it after that")

    /// What passes as soon as this broker hears of the topic, or the members hear that it is deleted.
    private static let lacksTopics = ConsumerGroupRefusal(
        .coordinatorLoadInProgress, "a member has partitions of a topic that this broker does not know")

    private func topicsToConvert(_ classic: ClassicGroup) throws(ConsumerGroupRefusal) -> SubscribedTopics {
        guard configuration.migration.convertsToConsumer, let names = classic.subscribedTopics else {
            throw ConsumerGroupRefusal(.groupIDNotFound, "the members of this group use the classic protocol")
        }
        guard classic.state == .stable, surroundings.knowsAllTopics() else { throw Self.rebalances }
        let topics = subscribedTopics(names)
        guard !classic.hasPartitions(outside: topics) else { throw Self.lacksTopics }
        return topics
    }

    private func subscribedTopics(_ names: Set<String>) -> SubscribedTopics {
        let metadata = surroundings.metadata()
        return SubscribedTopics(version: metadata.topicsRevision, topics: metadata.subscribed(names))
    }

    // MARK: Classic members

    /// A JoinGroup: it gets its generation at once.
    func join(_ join: ClassicJoin, _ groupID: String, completion: @escaping GroupCoordinator.Completion) {
        let names = join.protocols.first.flatMap { ConsumerSubscription.topics(in: $0.metadata) } ?? []
        touch(join.member.memberID, of: groupID)
        propose(.classicJoin(join, subscribedTopics(names)), groupID, completion)
    }

    /// A SyncGroup: the first one of a generation takes a place in the log, since it says what the member has given up.
    func sync(
        _ member: GroupMemberIdentity, generation: Int32, _ group: ConsumerGroup, _ groupID: String,
        completion: @escaping (Result<ByteBuffer, GroupRefusal>) -> Void
    ) {
        if let error = group.refusal(of: member) { return completion(.failure(GroupRefusal(code: error))) }
        guard let known = group.members[member.memberID], known.epoch == generation else {
            return completion(.failure(GroupRefusal(code: .illegalGeneration)))
        }
        touch(known.id, of: groupID)
        // The assignment of this generation. Another one has another epoch, so the member asks for that anew.
        let assignment = group.classicAssignment(of: known)
        let answer = { [weak self] in
            let refusal = self?.group(groupID)?.refusalOfAssignment(to: known.id)
            completion(refusal.map { .failure(GroupRefusal(code: $0)) } ?? .success(assignment))
        }
        guard known.classic?.hasSynced != true else { return answer() }
        submit(.classicSync(memberID: known.id, epoch: generation), groupID) { result in
            switch result {
            case .success: answer()
            case .failure(let refusal): completion(.failure(GroupRefusal(code: refusal.code)))
            }
        }
    }

    func heartbeat(_ member: GroupMemberIdentity, generation: Int32, _ group: ConsumerGroup, _ groupID: String)
        -> ErrorCode
    {
        let refusal = group.refusalOfHeartbeat(member, generation: generation)
        if refusal == nil || refusal == .rebalanceInProgress { touch(member.memberID, of: groupID) }
        return refusal ?? .none
    }
}
