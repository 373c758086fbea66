import Basics
import KafkaWire

/// A consumer group: who its members are, by one of the protocols, and how far it has come.
///
/// Owner: the `GroupTable` of its shard. A value that follows from the log alone.
struct Group {
    /// The protocol by which a group's members share its partitions. A group that has no members may change it.
    enum Membership {
        /// Nobody ever joined: only offsets are kept.
        case none
        case classic(ClassicGroup)
        case consumer(ConsumerGroup)
    }

    private(set) var membership = Membership.none
    private(set) var offsets = GroupOffsets()
    /// When the last member went; 0 if nobody ever joined.
    private(set) var idleSince: Milliseconds = 0

    var classic: ClassicGroup? {
        if case .classic(let group) = membership { return group }
        return nil
    }

    var consumer: ConsumerGroup? {
        if case .consumer(let group) = membership { return group }
        return nil
    }

    var hasMembers: Bool {
        switch membership {
        case .none: false
        case .classic(let group): !group.members.isEmpty
        case .consumer(let group): !group.isEmpty
        }
    }

    /// Whether it is as if the group had never been.
    var isVacant: Bool {
        if case .none = membership { return offsets.isEmpty }
        return false
    }

    /// The state in the words of the protocol.
    var stateName: String {
        switch membership {
        case .none: ClassicGroup.State.empty.rawValue
        case .classic(let group): group.state.rawValue
        case .consumer(let group): group.state.rawValue
        }
    }

    /// "consumer" and the like; empty if nobody ever joined.
    var protocolType: String {
        switch membership {
        case .none: ""
        case .classic(let group): group.protocolType
        case .consumer: ConsumerProtocol.protocolType
        }
    }

    /// Which of the protocols of membership this is, as ListGroups says it.
    var typeName: String {
        switch membership {
        case .none, .classic: "classic"
        case .consumer: "consumer"
        }
    }

    /// The topics that members subscribe to; nil if they do not say.
    var subscribedTopics: Set<String>? {
        switch membership {
        case .none: []
        case .classic(let group): group.subscribedTopics
        case .consumer(let group): group.subscribedNames
        }
    }

    /// Why these offsets may not be committed now; nil if they may.
    func refusalToCommit(_ commit: OffsetCommit) -> ErrorCode? {
        switch membership {
        case .none: commit.generation < 0 ? nil : .illegalGeneration
        case .classic(let group): group.refusalToCommit(commit.member, generation: commit.generation)
        case .consumer(let group):
            group.reasonToRefuseCommit(
                memberID: commit.member.memberID, memberEpoch: commit.generation,
                commit.offsets.lazy.map(\.partition))
        }
    }

    /// What may be forgotten now: nothing while the group has members.
    func expired(now: Milliseconds, retention: Milliseconds) -> [PartitionKey] {
        hasMembers ? [] : offsets.expired(now: now, retention: retention, idleSince: idleSince)
    }

    // MARK: Commands

    /// - Parameter isAlive: whether a topic is there. Offsets of one that is not are left out.
    mutating func apply(_ command: GroupCommand, isAlive: (TopicNumber) -> Bool) -> CommandResult {
        switch command.action {
        case .commitOffsets(let commit):
            return apply(commit, at: command.proposedAt, isAlive)
        case .deleteOffsets(let partitions):
            offsets.remove(partitions)
            return .none
        case .expireOffsets(let retention):
            offsets.remove(expired(now: command.proposedAt, retention: retention))
            if !hasMembers, offsets.isEmpty { membership = .none }
            return .none
        case .delete:
            guard !hasMembers else { return .refused(.nonEmptyGroup) }
            self = Group()
            return .none
        case .classic(let change):
            return apply(change, at: command.proposedAt)
        case .consumer(let change):
            return applyConsumer(change, at: command.proposedAt)
        }
    }

    mutating func forget(_ topic: TopicNumber) { offsets.forget(topic) }

    private mutating func apply(
        _ commit: OffsetCommit, at time: Milliseconds, _ isAlive: (TopicNumber) -> Bool
    ) -> CommandResult {
        if let error = refusalToCommit(commit) { return .refused(error) }
        for entry in commit.offsets where isAlive(entry.partition.topic) {
            offsets.set(
                entry.partition,
                GroupOffsets.Committed(
                    offset: entry.offset, leaderEpoch: entry.leaderEpoch, metadata: entry.metadata,
                    committedAt: time, expiresAt: commit.expiresAt))
        }
        return .none
    }

    private mutating func apply(_ change: ClassicGroupCommand, at time: Milliseconds) -> CommandResult {
        let hadMembers = hasMembers
        if case .consumer(let members) = membership, !members.isEmpty { return applyToMixed(change, at: time) }
        let former = classic == nil ? membership : nil
        var group = classic ?? ClassicGroup(after: newestEpoch)
        // Let go of it, or the change would copy the whole membership.
        membership = .none
        let result = group.apply(change)
        if let former, group.members.isEmpty {
            // A refused join leaves no trace of a group, nor of another protocol.
            membership = former
            return result
        }
        if hadMembers, group.members.isEmpty { idleSince = time }
        membership = .classic(group)
        return result
    }

    // MARK: From one protocol to the other

    /// The generation or epoch that the group has come to. It goes on from there when the first of new members brings
    /// another protocol: else a late commit of who was a member before could name an epoch that is reached again.
    private var newestEpoch: Int32 {
        switch membership {
        case .none: 0
        case .classic(let group): group.generation
        case .consumer(let group): group.epoch
        }
    }

    private mutating func applyConsumer(_ change: ConsumerGroupCommand, at time: Milliseconds) -> CommandResult {
        switch change {
        case .convert(let topics):
            guard let classic, let converted = ConsumerGroup(converting: classic, topics) else { return .none }
            membership = .consumer(converted)
            return .none
        case .revert:
            guard let consumer, let reverted = ClassicGroup(reverting: consumer) else { return .none }
            membership = .classic(reverted)
            return .none
        case .classicJoin(let join, _) where consumer == nil || !hasMembers:
            return apply(.join(join), at: time)
        default:
            return .consumerGroup(apply(change, at: time))
        }
    }

    /// A command that was meant for a classic group, which has become one of the new protocol.
    private mutating func applyToMixed(_ change: ClassicGroupCommand, at time: Milliseconds) -> CommandResult {
        switch change {
        case .join, .sync: return .refused(.rebalanceInProgress)
        case .completeJoin: return .none
        case .remove(let memberIDs):
            guard case .consumer(var group) = membership else { return .none }
            // Let go of it, or the change would copy the whole membership.
            membership = .none
            for memberID in memberIDs { group.remove(memberID) }
            if group.isEmpty { idleSince = time }
            membership = .consumer(group)
            return .none
        }
    }

    // MARK: The new protocol

    private mutating func apply(
        _ change: ConsumerGroupCommand, at time: Milliseconds
    ) -> Result<ConsumerGroupAnswer?, ConsumerGroupRefusal> {
        let hadMembers = hasMembers, former = consumer == nil ? membership : nil
        var group: ConsumerGroup
        do throws(ConsumerGroupRefusal) {
            group = try consumerGroup(for: change)
        } catch {
            return .failure(error)
        }
        // Let go of it, or the change would copy the whole membership.
        membership = .none
        let result = group.apply(change)
        if let former, group.isEmpty {
            // A refused join leaves no trace of a group, nor of another protocol.
            membership = former
            return result
        }
        if hadMembers, group.isEmpty { idleSince = time }
        membership = .consumer(group)
        return result
    }

    /// What the command would do; nil if that takes a place in the log. See `ConsumerGroup.preview(_:)`.
    func preview(_ change: ConsumerGroupCommand) -> Result<ConsumerGroupAnswer?, ConsumerGroupRefusal>? {
        do throws(ConsumerGroupRefusal) {
            return try consumerGroup(for: change).preview(change)
        } catch {
            return .failure(error)
        }
    }

    /// The membership that the command is about: what is there, or a new one if somebody joins and nobody is here.
    private func consumerGroup(for change: ConsumerGroupCommand) throws(ConsumerGroupRefusal) -> ConsumerGroup {
        if case .consumer(let group) = membership { return group }
        // Who was a member here joins again, by which the group may be converted.
        guard case .heartbeat(let heartbeat) = change, heartbeat.memberEpoch == 0 else {
            throw ConsumerGroupRefusal(.unknownMemberID, "the group has no member of the new protocol")
        }
        guard !hasMembers else {
            throw ConsumerGroupRefusal(.groupIDNotFound, "the members of this group use the classic protocol")
        }
        return ConsumerGroup(after: newestEpoch)
    }
}
