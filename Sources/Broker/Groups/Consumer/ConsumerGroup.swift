import Basics
import KafkaWire

/// The membership of one group of the new protocol (KIP-848): who is in it, what each member shall have, and what each
/// one has.
///
/// A pure value, changed by commands of the log alone. Owner: the group table of its shard's state machine. Bounded by
/// the most members a leader admits (`ConsumerGroupHeartbeat.sizeMax`) and by the partitions of its topics.
///
/// That no two members own one partition rests on three rules:
/// 1. A partition has one owner, and gets another only after its owner was asked to give it up and answered that it
///    has, or left, or was expired.
/// 2. Whatever changes what a member may have gives the member a new epoch. A heartbeat with the member's epoch
///    therefore comes from a member that knows the newest assignment, and within an epoch a member never takes a
///    partition outside of its assignment: if such a partition is not among the owned, it never will be in this epoch.
/// 3. A heartbeat with any other epoch acknowledges nothing. One with the epoch before is a repetition whose answer was
///    lost, and is answered again unless it wants something else than the member does; all others are fenced. So late
///    and repeated heartbeats do no harm: what a member wants changes under a new epoch, too, which the member gets
///    only if it says itself that it wants this. It may have been a late heartbeat that changed it.
public struct ConsumerGroup: Hashable, Sendable {
    public internal(set) var members: [String: ConsumerGroupMember] = [:]
    /// Static members by their instance.
    var instances: [String: String] = [:]
    /// The subscribed topics that exist, by name.
    public internal(set) var topics: [String: SubscribedTopic] = [:]
    /// The point in the metadata shard's log that `topics` comes from.
    public private(set) var topicsVersion: UInt64 = 0
    /// Rises whenever the target assignment is computed; never below the epoch of a member that is or was.
    ///
    /// The target is computed in the step that raises the epoch, so this is also the assignment epoch.
    public private(set) var epoch: Int32
    /// What each member shall have.
    public internal(set) var targets: [String: Set<TopicIDPartition>] = [:]
    /// Who has a partition: assigned to it, or to be given up by it.
    var owners: [TopicIDPartition: String] = [:]
    /// Counts the changes, so that a command without any effect is recognised.
    var revision: UInt64 = 0

    /// - Parameter epoch: what the group has come to by another protocol.
    public init(after epoch: Int32 = 0) {
        self.epoch = epoch
    }

    /// The states that the protocol names. The target is computed at once, so there is no state "Assigning".
    public enum State: String, Sendable {
        case empty = "Empty"
        case reconciling = "Reconciling"
        case stable = "Stable"
    }

    public var isEmpty: Bool { members.isEmpty }

    public var state: State {
        if members.isEmpty { return .empty }
        return members.values.allSatisfy(isReconciled) ? .stable : .reconciling
    }

    /// The assignor that most members vote for.
    public var assignor: ServerAssignor {
        var votes: [ServerAssignor: Int] = [:]
        for case let vote? in members.values.lazy.map(\.assignor) { votes[vote, default: 0] += 1 }
        return votes.max { ($0.value, $1.key.rawValue) < ($1.value, $0.key.rawValue) }?.key ?? .fallback
    }

    /// The names of all topics that somebody subscribes to.
    public var subscribedNames: Set<String> { members.values.reduce(into: []) { $0.formUnion($1.subscription) } }

    /// All regular expressions that somebody subscribes to.
    public var patterns: Set<String> { Set(members.values.compactMap(\.pattern?.regex)) }

    public func target(of memberID: String) -> Set<TopicIDPartition> { targets[memberID] ?? [] }

    /// Whether the member has all it shall have, gave up all else, and knows so.
    public func isReconciled(_ member: ConsumerGroupMember) -> Bool {
        if member.isAbsent { return true }
        let target = target(of: member.id)
        guard member.assigned.count == target.count else { return false }
        if member.classic != nil { return !mustGiveUp(member) }
        // A change of its wishes raises a member's epoch, too: that it is new says nothing of what the member has.
        return member.revoking.isEmpty && member.epoch >= epoch && member.assigned.keys.allSatisfy(target.contains)
    }

    // MARK: Commands

    /// Applies a command.
    ///
    /// - Returns: what to tell the member; nil when the command was no member's.
    public mutating func apply(
        _ command: ConsumerGroupCommand
    ) -> Result<ConsumerGroupAnswer?, ConsumerGroupRefusal> {
        Result { () throws(ConsumerGroupRefusal) in
            switch command {
            case .heartbeat(let heartbeat): return try apply(heartbeat)
            case .leave(let leave): return try apply(leave)
            case .expire(let memberID, let epoch):
                if members[memberID]?.epoch == epoch { remove(memberID) }
                return nil
            case .topicsChanged(let change):
                apply(change)
                return nil
            case .classicJoin(let join, let topics): return try apply(join, topics)
            case .classicSync(let memberID, let epoch): return try apply(syncOf: memberID, epoch: epoch)
            case .convert, .revert:
                return nil
            }
        }
    }

    /// What the command would do, so that one without effect needs no place in the log.
    ///
    /// - Returns: what to answer at once; nil when the command must be proposed.
    public func preview(
        _ command: ConsumerGroupCommand
    ) -> Result<ConsumerGroupAnswer?, ConsumerGroupRefusal>? {
        var copy = self
        let result = copy.apply(command)
        return copy.revision == revision ? result : nil
    }

    private mutating func apply(
        _ heartbeat: ConsumerGroupHeartbeat
    ) throws(ConsumerGroupRefusal) -> ConsumerGroupAnswer {
        let standing = try standing(of: heartbeat)
        let before = members[heartbeat.memberID]
        switch standing {
        case .replaces(let absent): replace(absent, by: heartbeat.memberID)
        case .joinsAgain: takeAll(from: heartbeat.memberID)
        case .joins, .knowsAll, .repeats, .joinsOtherwise: break
        }
        subscribe(heartbeat)
        switch standing {
        case .joins, .replaces, .knowsAll: reconcile(heartbeat.memberID, owned: heartbeat.owned)
        case .repeats, .joinsOtherwise, .joinsAgain: break
        }
        var member = member(heartbeat.memberID)
        if let before, !member.wantsTheSame(as: before) {
            if member.epoch == before.epoch {
                raiseEpoch(of: &member)
                // Should the member not be the one that joined so, it is fenced, and says itself what it wants.
                if standing == .joinsOtherwise { member.previousEpoch = 0 }
            }
            member.wantsSince = member.epoch
            store(member)
        }
        let isNews = heartbeat.isFull || standing == .repeats || before?.assigned.keys != member.assigned.keys
        return ConsumerGroupAnswer(
            memberID: member.id, memberEpoch: member.epoch, assignment: isNews ? member.assigned.keys.sorted() : nil,
            isReconciled: isReconciled(member))
    }

    private mutating func apply(_ leave: ConsumerGroupLeave) throws(ConsumerGroupRefusal) -> ConsumerGroupAnswer {
        var member = try knownMember(leave.memberID, leave.instanceID)
        if leave.isTemporary {
            guard member.instanceID != nil else {
                throw ConsumerGroupRefusal(.unknownMemberID, "only a static member can leave for a while")
            }
            release(member.revoking.keys, of: member.id)
            member.revoking = [:]
            member.previousEpoch = member.epoch
            member.epoch = ConsumerGroupMember.epochOfAbsence
            store(member)
        } else {
            remove(member.id)
        }
        return ConsumerGroupAnswer(
            memberID: leave.memberID, memberEpoch: leave.isTemporary ? ConsumerGroupMember.epochOfAbsence : -1,
            assignment: nil, isReconciled: true)
    }

    private mutating func apply(_ change: SubscribedTopics) {
        guard change.version >= topicsVersion else { return }
        var isNewSubscription = false
        for pattern in change.patterns {
            for var member in members.values where member.pattern?.regex == pattern.regex && member.pattern != pattern {
                member.pattern = pattern
                store(member)
                isNewSubscription = true
            }
        }
        let wanted = subscribedNames
        let found = change.topics.filter { wanted.contains($0.name) }.map { ($0.name, grown($0)) }
        let known = Dictionary(found) { first, _ in first }
        guard isNewSubscription || known != topics else { return }
        topics = known
        topicsVersion = change.version
        rebalance()
    }

    /// A topic's partitions never get fewer: who says so looked at an older state.
    private func grown(_ topic: SubscribedTopic) -> SubscribedTopic {
        guard let known = topics[topic.name], known.id == topic.id else { return topic }
        return known.partitionCount > topic.partitionCount ? known : topic
    }

    // MARK: Membership

    func member(_ id: String) -> ConsumerGroupMember {
        guard let member = members[id] else { preconditionFailure("invariant broken: member \(id) was just stored") }
        return member
    }

    /// Takes over the heartbeat's news, and computes a new target if they matter to it.
    private mutating func subscribe(_ heartbeat: ConsumerGroupHeartbeat) {
        let before = members[heartbeat.memberID]
        var member = before ?? ConsumerGroupMember(id: heartbeat.memberID)
        let assignorBefore = assignor
        member.update(from: heartbeat)
        store(member)
        let isNewSubscription = before?.subscription != member.subscription
        if isNewSubscription { learn(heartbeat.topics) }
        if isNewSubscription || assignor != assignorBefore { rebalance() }
    }

    /// Adds topics that the group did not know.
    mutating func learn(_ found: SubscribedTopics) {
        guard found.version >= topicsVersion else { return }
        topicsVersion = found.version
        for topic in found.topics { topics[topic.name] = grown(topic) }
    }

    mutating func remove(_ memberID: String) {
        guard let member = members.removeValue(forKey: memberID) else { return }
        if let instance = member.instanceID { instances[instance] = nil }
        release(member.revoking.keys, of: memberID)
        release(member.assigned.keys, of: memberID)
        targets[memberID] = nil
        // Its id may come back, and a late heartbeat of its first life must not fit the second.
        epoch = max(epoch, member.epoch)
        rebalance()
    }

    /// A static member is back, mostly under another id: what it had is there for it at once, and nobody else moves.
    mutating func replace(_ absentID: String, by memberID: String) {
        var member = member(absentID)
        members[absentID] = nil
        targets[memberID] = targets.removeValue(forKey: absentID)
        for partition in member.assigned.keys { owners[partition] = memberID }
        // A classic member may not have given these up; under the old id nobody ever would.
        for partition in member.revoking.keys { owners[partition] = memberID }
        // A late heartbeat of its first life must not fit the second.
        if memberID == absentID { epoch = max(epoch, member.previousEpoch + 1) }
        member.id = memberID
        member.epoch = 0
        member.previousEpoch = 0
        store(member)
    }

    /// The member joins although it is in. If this was late, the member still has all that it had: nobody gets any of
    /// that before the member has shown that it knows this new epoch. It can only do so when it has joined once more,
    /// since all earlier epochs are fenced.
    private mutating func takeAll(from memberID: String) {
        var member = member(memberID)
        member.revoking.merge(member.assigned) { known, _ in known }
        member.assigned = [:]
        raiseEpoch(of: &member)
        member.previousEpoch = 0
        store(member)
    }

    /// Every change of a member goes through here.
    mutating func store(_ member: ConsumerGroupMember) {
        guard members[member.id] != member else { return }
        if let instance = member.instanceID { instances[instance] = member.id }
        members[member.id] = member
        revision += 1
    }

    // MARK: The target

    /// Computes a new target under a new epoch.
    mutating func rebalance() {
        let wanted = subscribedNames
        topics = topics.filter { wanted.contains($0.key) }
        epoch = max(epoch, members.values.lazy.map(\.epoch).max() ?? 0) + 1
        targets = computeTargets(topics)
        revision += 1
    }

    private func computeTargets(_ topics: [String: SubscribedTopic]) -> [String: Set<TopicIDPartition>] {
        // Static members keep their place when they come back under another id.
        let ids = members.values.sorted { ($0.instanceID ?? $0.id, $0.id) < ($1.instanceID ?? $1.id, $1.id) }.map(\.id)
        let subscriptions = ids.map { member($0).subscription }
        let intended = ids.enumerated().reduce(into: [TopicIDPartition: Int]()) { result, member in
            for partition in target(of: member.element) { result[partition] = member.offset }
        }
        let sorted = topics.values.sorted { $0.name < $1.name }
        let problem = AssignmentProblem(memberCount: ids.count, topics: sorted.map { topic in
            let subscribers = ids.indices.filter { subscriptions[$0].contains(topic.name) }
            let isSubscriber = Set(subscribers)
            return AssignmentProblem.Topic(
                partitionCount: Int(topic.partitionCount), subscribers: subscribers,
                owners: (0..<topic.partitionCount).map { partition in
                    intended[TopicIDPartition(topic.id, partition)].flatMap { isSubscriber.contains($0) ? $0 : nil }
                })
        })
        var result = Dictionary(uniqueKeysWithValues: ids.map { ($0, Set<TopicIDPartition>()) })
        for (topic, owners) in zip(sorted, assignor.assign(problem)) {
            for case (let partition, let owner?) in owners.enumerated() {
                result[ids[owner]]?.insert(TopicIDPartition(topic.id, Int32(partition)))
            }
        }
        return result
    }
}
