import KafkaWire

/// How a member gets from what it has to what it shall have.
extension ConsumerGroup {
    /// Takes the member, of whom we know that it knows its newest assignment, as far as it can go now.
    ///
    /// - Parameter owned: what it says it has; nil when it says nothing of it.
    mutating func reconcile(_ memberID: String, owned: [TopicIDPartition]?) {
        guard var member = members[memberID], !isReconciled(member) else { return }
        if !member.revoking.isEmpty {
            // One that knows its epoch from a join gave up everything before that.
            let gaveUp = owned.map { !$0.contains { member.revoking[$0] != nil } } ?? (member.previousEpoch == 0)
            guard gaveUp else { return }
            release(member.revoking.keys, of: memberID)
            member.revoking = [:]
        }
        advance(&member)
        store(member)
    }

    private mutating func advance(_ member: inout ConsumerGroupMember) {
        let target = target(of: member.id)
        let isNew = member.epoch == 0
        let superfluous = member.assigned.filter { !target.contains($0.key) }
        if !superfluous.isEmpty {
            member.assigned = member.assigned.filter { target.contains($0.key) }
            guard isNew else {
                // First it gives up. It is told so under a new epoch; see rule 2.
                member.revoking = superfluous
                raiseEpoch(of: &member)
                return
            }
            // A static member that is back has nothing in its hands yet.
            release(superfluous.keys, of: member.id)
        }
        guard isNew || member.epoch < epoch || member.assigned.count < target.count else { return }
        let granted = target.filter { member.assigned[$0] == nil && owners[$0] == nil }
        guard isNew || member.epoch < epoch || !granted.isEmpty else { return }
        raiseEpoch(of: &member)
        // One that is back is told of everything anew.
        let told = isNew ? granted.union(member.assigned.keys) : granted
        for partition in told {
            member.assigned[partition] = member.epoch
            owners[partition] = member.id
        }
    }

    func raiseEpoch(of member: inout ConsumerGroupMember) {
        member.previousEpoch = member.epoch
        member.epoch = max(member.epoch + 1, epoch)
    }

    mutating func release(_ partitions: some Sequence<TopicIDPartition>, of memberID: String) {
        for partition in partitions where owners[partition] == memberID { owners[partition] = nil }
    }
}
