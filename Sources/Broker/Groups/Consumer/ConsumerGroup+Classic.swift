import KafkaWire
import NIOCore

/// What makes a member of a group of the new protocol one that speaks the classic one (KIP-848, online migration).
public struct ClassicTraits: Hashable, Sendable {
    /// Milliseconds.
    public var sessionTimeout: Int32
    public var protocols: [ClassicJoin.SupportedProtocol]
    /// What the member said that it had when it joined last. It counts when the member syncs.
    public var owned: Set<TopicIDPartition> = []
    /// Whether the member has asked for its assignment since it joined last.
    public var hasSynced = false

    var subscription: ConsumerSubscription? { protocols.first.flatMap { ConsumerSubscription($0.metadata) } }
}

/// Members of the classic protocol among those of the new one.
///
/// Their epoch is the generation that they are told. A JoinGroup always gets a new one. It names no generation itself
/// and may be late, so what it says the member has is only noted; it counts when the member syncs under the epoch that
/// it got for this JoinGroup: then this was its last, and between JoinGroup and SyncGroup a member takes nothing. For
/// the rest the rules of `ConsumerGroup` hold as they are.
extension ConsumerGroup {
    /// Whether nobody uses the new protocol.
    var isClassicOnly: Bool { !members.isEmpty && members.values.allSatisfy { $0.classic != nil } }

    // MARK: What is refused

    /// Why a member's request is refused; nil if it is one of this group's classic members.
    func refusal(of member: GroupMemberIdentity) -> ErrorCode? {
        if let instanceID = member.instanceID {
            guard let current = instances[instanceID] else { return .unknownMemberID }
            guard current == member.memberID else { return .fencedInstanceID }
        }
        return members[member.memberID]?.classic == nil ? .unknownMemberID : nil
    }

    /// The answer to a classic heartbeat: an error, or nil when all is well.
    func refusalOfHeartbeat(_ member: GroupMemberIdentity, generation: Int32) -> ErrorCode? {
        if let error = refusal(of: member) { return error }
        guard let known = members[member.memberID], known.epoch == generation else { return .illegalGeneration }
        return mustRejoin(known) ? .rebalanceInProgress : nil
    }

    /// Why a member that has synced is not told its assignment: another shall have a part of it and waits already,
    /// while the member would believe that from now on it has a whole session. What a cooperative member has to give up
    /// besides is no part of it, and by that the member learns of it.
    func refusalOfAssignment(to memberID: String) -> ErrorCode? {
        guard let member = members[memberID] else { return .unknownMemberID }
        let target = target(of: memberID)
        return member.assigned.keys.allSatisfy(target.contains) ? nil : .rebalanceInProgress
    }

    func refusal(of join: ClassicJoin) -> ErrorCode? {
        let member = join.member
        let holder = member.instanceID.flatMap { instances[$0] }.flatMap { members[$0] }
        if !join.isNew {
            if let error = refusal(of: member) { return error }
        } else if let holder, holder.id != member.memberID {
            guard holder.classic != nil || holder.isAbsent else { return .unreleasedInstanceID }
        } else if members[member.memberID] == nil {
            guard members.count < Int(join.sizeMax) else { return .groupMaxSizeReached }
        } else if members[member.memberID]?.classic == nil {
            return .unknownMemberID
        }
        guard join.protocolType == ConsumerProtocol.protocolType, let first = join.protocols.first,
            ConsumerSubscription(first.metadata) != nil
        else { return .inconsistentGroupProtocol }
        // Should all that speak the new protocol leave, the others must be able to go on.
        let others = members.values.filter { $0.id != member.memberID && $0.id != holder?.id }.compactMap(\.classic)
        let isCommon = join.protocols.contains { supported in
            others.allSatisfy { other in other.protocols.contains { $0.name == supported.name } }
        }
        return isCommon ? nil : .inconsistentGroupProtocol
    }

    /// Whether a member, which knows its assignment, must join again: to give something up, or to get more.
    func mustRejoin(_ member: ConsumerGroupMember) -> Bool {
        guard let traits = member.classic, traits.hasSynced else { return false }
        let target = target(of: member.id)
        return mustGiveUp(member) || target.contains { member.assigned[$0] == nil && owners[$0] == nil }
    }

    /// Whether others wait for the member: it has something to give up, or does not say what it has.
    func mustGiveUp(_ member: ConsumerGroupMember) -> Bool {
        if !member.revoking.isEmpty { return true }
        guard let traits = member.classic else { return false }
        let target = target(of: member.id)
        return !traits.hasSynced || member.assigned.keys.contains { !target.contains($0) }
    }

    // MARK: Commands

    /// JoinGroup: the member gets a new epoch, and in it what it may keep and what is free of its target.
    mutating func apply(
        _ join: ClassicJoin, _ found: SubscribedTopics
    ) throws(ConsumerGroupRefusal) -> ConsumerGroupAnswer {
        if let code = refusal(of: join) { throw ConsumerGroupRefusal(code, "the member cannot join") }
        let id = join.member.memberID
        if let holder = join.member.instanceID.flatMap({ instances[$0] }), holder != id { replace(holder, by: id) }
        let before = members[id]
        var member = before ?? ConsumerGroupMember(id: id)
        member.update(from: join)
        store(member)
        if before?.subscription != member.subscription {
            learn(found)
            rebalance()
        }
        noteOwned(by: id)
        rejoin(id)
        return answer(to: id)
    }

    private mutating func noteOwned(by id: String) {
        guard var member = members[id], let subscription = member.classic?.subscription else { return }
        member.classic?.owned = Set(subscription.owned.compactMap { identified($0) })
        store(member)
    }

    private mutating func rejoin(_ id: String) {
        guard var member = members[id] else { return }
        let target = target(of: id)
        raiseEpoch(of: &member)
        for (partition, epoch) in member.assigned where !target.contains(partition) {
            member.assigned[partition] = nil
            member.revoking[partition] = epoch
        }
        for partition in target where member.assigned[partition] == nil {
            guard owners[partition] == nil || owners[partition] == id else { continue }
            // It may not have given up yet what it was asked for: now it can keep it, and nobody else had it.
            member.assigned[partition] = member.revoking.removeValue(forKey: partition) ?? member.epoch
            owners[partition] = id
        }
        member.classic?.hasSynced = false
        store(member)
    }

    /// SyncGroup: what the member said when it joined is true of it now.
    mutating func apply(syncOf id: String, epoch: Int32) throws(ConsumerGroupRefusal) -> ConsumerGroupAnswer {
        guard var member = members[id], let traits = member.classic else {
            throw ConsumerGroupRefusal(.unknownMemberID, "the group has no classic member \(id)")
        }
        guard member.epoch == epoch else {
            throw ConsumerGroupRefusal(.illegalGeneration, "the member is in generation \(member.epoch)")
        }
        release(member.revoking.keys.filter { !traits.owned.contains($0) }, of: id)
        member.revoking = member.revoking.filter { traits.owned.contains($0.key) }
        member.classic?.hasSynced = true
        store(member)
        return answer(to: id)
    }

    private func answer(to id: String) -> ConsumerGroupAnswer {
        let member = member(id)
        return ConsumerGroupAnswer(
            memberID: id, memberEpoch: member.epoch, assignment: member.assigned.keys.sorted(),
            isReconciled: isReconciled(member))
    }

    // MARK: Names

    private func identified(_ partition: NamedPartition) -> TopicIDPartition? {
        topics[partition.topic].map { TopicIDPartition($0.id, partition.partition) }
    }

    /// The member's assignment as its client understands it; of topics that are deleted it has nothing any more.
    func classicAssignment(of member: ConsumerGroupMember) -> ByteBuffer {
        let names = Dictionary(topics.values.map { ($0.id, $0.name) }) { first, _ in first }
        let partitions = member.assigned.keys.compactMap { partition in
            names[partition.topic].map { NamedPartition(topic: $0, partition: partition.partition) }
        }
        return ConsumerAssignment(partitions).encoded(version: member.classic?.subscription?.version ?? 0)
    }

    // MARK: Conversion

    /// A group of the new protocol with the members of a classic one, who keep what they have.
    ///
    /// - Parameter found: the topics that members subscribe to.
    /// - Returns: nil if that cannot be: while it rebalances nobody knows what the members have, and what they say to
    ///   each other may be in a language of their own. What they have of a topic that is not found would be nobody's,
    ///   and given to others once the topic is known.
    init?(converting group: ClassicGroup, _ found: SubscribedTopics) {
        guard group.state == .stable, group.protocolType == ConsumerProtocol.protocolType,
            !group.hasPartitions(outside: found)
        else { return nil }
        self.init()
        learn(found)
        for former in group.sortedMembers {
            guard let subscription = ConsumerSubscription(former.metadata(for: group.protocolName)),
                let assignment = ConsumerAssignment(former.assignment)
            else { return nil }
            var member = ConsumerGroupMember(id: former.memberID)
            member.update(from: former, subscription)
            member.epoch = group.generation
            member.previousEpoch = group.generation
            member.assigned = adopted(assignment.partitions, by: former.memberID, group.generation)
            store(member)
        }
        for former in group.sortedMembers {
            // What a cooperative member was asked to give up it may still have: it joins again when it has not.
            guard var member = members[former.memberID],
                let subscription = ConsumerSubscription(former.metadata(for: group.protocolName))
            else { continue }
            member.revoking = adopted(subscription.owned, by: former.memberID, group.generation)
            member.classic?.owned = Set(subscription.owned.compactMap { identified($0) })
            store(member)
        }
        for member in members.values { targets[member.id] = Set(member.assigned.keys) }
        rebalance()
    }

    /// Those of the partitions that nobody has yet, which are the member's from now on.
    private mutating func adopted(
        _ partitions: [NamedPartition], by id: String, _ epoch: Int32
    ) -> [TopicIDPartition: Int32] {
        var adopted: [TopicIDPartition: Int32] = [:]
        for partition in partitions.compactMap({ identified($0) }) where owners[partition] == nil {
            owners[partition] = id
            adopted[partition] = epoch
        }
        return adopted
    }
}

extension ConsumerGroupMember {
    fileprivate mutating func update(from join: ClassicJoin) {
        instanceID = join.member.instanceID
        clientID = join.clientID
        clientHost = join.clientHost
        rebalanceTimeout = join.rebalanceTimeout
        classic = ClassicTraits(sessionTimeout: join.sessionTimeout, protocols: join.protocols)
        topicNames = classic?.subscription?.topics.sorted() ?? []
        pattern = nil
        assignor = nil
    }

    fileprivate mutating func update(from former: ClassicMember, _ subscription: ConsumerSubscription) {
        instanceID = former.instanceID
        clientID = former.clientID
        clientHost = former.clientHost
        rebalanceTimeout = former.rebalanceTimeout
        classic = ClassicTraits(sessionTimeout: former.sessionTimeout, protocols: former.protocols, hasSynced: true)
        topicNames = subscription.topics.sorted()
    }
}
