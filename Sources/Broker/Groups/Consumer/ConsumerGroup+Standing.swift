import KafkaWire

/// Who may speak for a member, and what its epoch says about what it knows.
extension ConsumerGroup {
    /// What a heartbeat is, judged by its member id, instance id and epoch.
    enum Standing: Hashable {
        /// A member that the group does not have yet.
        case joins
        /// A static member that is back; the id it had before.
        case replaces(String)
        /// The member knows its newest assignment.
        case knowsAll
        /// The answer to its last heartbeat was lost, or this one was late.
        case repeats
        /// The answer to its join was lost, and it has changed its mind; or this is an older join, which was late.
        case joinsOtherwise
        /// A member that has given up everything, as one that was fenced does; or its first join, which was late.
        case joinsAgain
    }

    func standing(of heartbeat: ConsumerGroupHeartbeat) throws(ConsumerGroupRefusal) -> Standing {
        if heartbeat.memberEpoch == 0 { return try standing(ofJoin: heartbeat) }
        let member = try knownMember(heartbeat.memberID, heartbeat.instanceID)
        if heartbeat.memberEpoch == member.epoch { return .knowsAll }
        let owned = heartbeat.owned ?? []
        guard heartbeat.memberEpoch == member.previousEpoch, !member.isAbsent, wantsTheSame(heartbeat, as: member),
            owned.allSatisfy({ member.assigned[$0] != nil || member.revoking[$0] != nil }),
            member.wantsSince < member.epoch || heartbeat.isFull
        else { throw fenced(member, heartbeat.memberEpoch) }
        return .repeats
    }

    private func wantsTheSame(_ heartbeat: ConsumerGroupHeartbeat, as member: ConsumerGroupMember) -> Bool {
        var updated = member
        updated.update(from: heartbeat)
        return updated.wantsTheSame(as: member)
    }

    private func standing(ofJoin heartbeat: ConsumerGroupHeartbeat) throws(ConsumerGroupRefusal) -> Standing {
        if let instance = heartbeat.instanceID, let holder = instances[instance].flatMap({ members[$0] }) {
            // Of two classic members under one name the last counts, and so it is when the last has moved on.
            if holder.isAbsent || holder.classic != nil { return .replaces(holder.id) }
            guard holder.id == heartbeat.memberID else {
                throw ConsumerGroupRefusal(
                    .unreleasedInstanceID, "instance id \(instance) is held by member \(holder.id), which has not left")
            }
        }
        if let member = members[heartbeat.memberID] {
            guard member.classic == nil, member.instanceID == heartbeat.instanceID else { throw fenced(member, 0) }
            guard member.previousEpoch == 0 else { return .joinsAgain }
            return wantsTheSame(heartbeat, as: member) ? .repeats : .joinsOtherwise
        }
        guard members.count < heartbeat.sizeMax else {
            throw ConsumerGroupRefusal(.groupMaxSizeReached, "the group has \(members.count) members, the most allowed")
        }
        return .joins
    }

    /// The member of that id, which must be the one that holds the instance id, if there is one.
    func knownMember(_ id: String, _ instance: String?) throws(ConsumerGroupRefusal) -> ConsumerGroupMember {
        if let instance, let holder = instances[instance], holder != id {
            throw ConsumerGroupRefusal(.fencedInstanceID, "instance id \(instance) is held by member \(holder) now")
        }
        guard let member = members[id], member.classic == nil, instance == nil || instance == member.instanceID else {
            throw ConsumerGroupRefusal(.unknownMemberID, "the group has no member \(id)")
        }
        return member
    }

    private func fenced(_ member: ConsumerGroupMember, _ epoch: Int32) -> ConsumerGroupRefusal {
        ConsumerGroupRefusal(
            .fencedMemberEpoch,
            "the member came with epoch \(epoch), the group knows it at \(member.epoch); it must give up everything "
                + "and join again")
    }
}
