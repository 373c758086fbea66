import KafkaWire

/// What a member's requests are checked against.
extension ClassicGroup {
    /// Why `member` is none of this group's; nil if it is.
    func refusal(of member: GroupMemberIdentity) -> ErrorCode? {
        if let instanceID = member.instanceID {
            guard let current = staticMembers[instanceID] else { return .unknownMemberID }
            guard current == member.memberID else { return .fencedInstanceID }
        }
        return members[member.memberID] == nil ? .unknownMemberID : nil
    }

    /// Whether the member may speak for this generation. Each has its own after the group was of the new protocol.
    private func isCurrent(_ generation: Int32, for member: GroupMemberIdentity) -> Bool {
        generation == self.generation || members[member.memberID]?.formerGeneration == generation
    }

    /// The answer to a heartbeat: an error, or nil when all is well.
    func refusalOfHeartbeat(_ member: GroupMemberIdentity, generation: Int32) -> ErrorCode? {
        if let error = refusal(of: member) { return error }
        guard isCurrent(generation, for: member) else { return .illegalGeneration }
        return state == .preparingRebalance ? .rebalanceInProgress : nil
    }

    /// Why a SyncGroup is refused at once; nil if it may be carried out or wait.
    ///
    /// - Parameters:
    ///   - protocolType: what the member believes, as the next; nil if it does not say.
    func refusalToSync(
        _ member: GroupMemberIdentity, generation: Int32, protocolType: String?, protocolName: String?
    ) -> ErrorCode? {
        if let error = refusalOfHeartbeat(member, generation: generation) { return error }
        if let protocolType, protocolType != self.protocolType { return .inconsistentGroupProtocol }
        if let protocolName, protocolName != self.protocolName { return .inconsistentGroupProtocol }
        return nil
    }

    /// Why `member` may not commit offsets now; nil if it may. Without members anybody may who claims to be none.
    func refusalToCommit(_ member: GroupMemberIdentity, generation: Int32) -> ErrorCode? {
        if generation < 0, members.isEmpty { return nil }
        guard generation >= 0 || !member.memberID.isEmpty || member.instanceID != nil else { return .unknownMemberID }
        if let error = refusal(of: member) { return error }
        guard isCurrent(generation, for: member) else { return .illegalGeneration }
        return state == .completingRebalance ? .rebalanceInProgress : nil
    }

    /// The topics that the members subscribe to, as far as their metadata tells; nil if this is no group of consumers.
    var subscribedTopics: Set<String>? {
        guard protocolType == ConsumerProtocol.protocolType else { return nil }
        return members.values.reduce(into: []) { topics, member in
            let metadata = member.metadata(for: protocolName ?? member.protocols.first?.name)
            topics.formUnion(ConsumerSubscription.topics(in: metadata) ?? [])
        }
    }

    /// Whether a member has, or may not have given up yet, partitions of a topic that others may get too and that is
    /// not among those found: it is too new for whoever found them, or deleted and the members have not heard of it.
    func hasPartitions(outside found: SubscribedTopics) -> Bool {
        let missing = (subscribedTopics ?? []).subtracting(found.topics.map(\.name))
        return !missing.isEmpty && members.values.contains { member in
            let assigned = ConsumerAssignment(member.assignment)?.partitions ?? []
            let owned = ConsumerSubscription(member.metadata(for: protocolName))?.owned ?? []
            return (assigned + owned).contains { missing.contains($0.topic) }
        }
    }
}
