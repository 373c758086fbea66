import KafkaWire

/// Which members may commit and fetch offsets.
extension ConsumerGroup {
    /// Why a commit is refused; nil when it is accepted.
    ///
    /// A member that has not heard of its newest epoch yet may commit what it already had in the epoch it names: the
    /// partition cannot have got another owner meanwhile (KIP-1251). One of the classic protocol names its generation,
    /// no older one. A client that has left its group commits with a negative epoch, which is accepted while the group
    /// is empty.
    public func reasonToRefuseCommit(
        memberID: String, memberEpoch: Int32, _ partitions: some Sequence<PartitionKey>
    ) -> ErrorCode? {
        if memberEpoch < 0, members.isEmpty { return nil }
        guard let member = members[memberID] else { return .unknownMemberID }
        if memberEpoch == member.epoch { return nil }
        // It has joined since: it may have given the partition up then, got it again, and committed more of it.
        if let traits = member.classic {
            return memberEpoch == member.previousEpoch && !traits.hasSynced ? .rebalanceInProgress : .illegalGeneration
        }
        guard memberEpoch >= 0, memberEpoch < member.epoch else { return .staleMemberEpoch }
        let ids = Dictionary(topics.values.map { ($0.number, $0.id) }) { first, _ in first }
        let hadAll = partitions.allSatisfy { key in
            guard let id = ids[key.topic] else { return false }
            let partition = TopicIDPartition(id, key.partition)
            return (member.assigned[partition] ?? member.revoking[partition]).map { $0 <= memberEpoch } ?? false
        }
        return hadAll ? nil : .staleMemberEpoch
    }

    /// Why a fetch of offsets is refused; nil when it is answered. A negative epoch asks for no check, as tools do. The
    /// epoch before is as good as the newest: the member may not have heard of that yet.
    public func reasonToRefuseFetch(memberID: String?, memberEpoch: Int32) -> ErrorCode? {
        guard let memberID, memberEpoch >= 0 else { return nil }
        guard let member = members[memberID] else { return .unknownMemberID }
        return memberEpoch == member.epoch || memberEpoch == member.previousEpoch ? nil : .staleMemberEpoch
    }
}
