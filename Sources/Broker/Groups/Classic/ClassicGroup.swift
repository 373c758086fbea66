import KafkaWire
import NIOCore

/// The membership of a group of the classic protocol: a state machine that makes one generation after another.
///
///     empty ──join──▶ preparingRebalance ──completeJoin──▶ completingRebalance ──sync──▶ stable
///                            ▲                                     │                       │
///                            └────────── join, remove ─────────────┴───────────────────────┘
///
/// From any state back to empty when the last member goes. A pair of state and generation never comes twice.
///
/// Owner: its `Group`. A value that follows from the log alone; what is about time and about waiting requests is the
/// `GroupCoordinator`'s. Bounded by the joins' `sizeMax`.
struct ClassicGroup {
    /// The names are the protocol's.
    enum State: String, Sendable {
        case empty = "Empty"
        /// Members are expected to rejoin.
        case preparingRebalance = "PreparingRebalance"
        /// The leader is expected to send the assignments of the new generation.
        case completingRebalance = "CompletingRebalance"
        case stable = "Stable"
    }

    private(set) var state = State.empty
    private(set) var generation: Int32
    /// "consumer" and the like; the members' own business.
    private(set) var protocolType = ""
    /// The way of assigning that the members of this generation agreed on.
    private(set) var protocolName: String?
    private(set) var leaderID: String?
    private(set) var members: [String: ClassicMember] = [:]
    /// Member ids by instance id.
    private(set) var staticMembers: [String: String] = [:]
    private var lastJoinOrder: UInt64 = 0

    /// - Parameter generation: what the group has come to by another protocol.
    init(after generation: Int32 = 0) {
        self.generation = generation
    }

    /// The classic members of a group of the new protocol, among whom nobody uses that any more: they rebalance.
    init?(reverting group: ConsumerGroup) {
        guard group.isClassicOnly else { return nil }
        for member in group.members.values.sorted(by: { $0.id < $1.id }) {
            lastJoinOrder += 1
            members[member.id] = ClassicMember(member, joinOrder: lastJoinOrder)
            if let instanceID = member.instanceID { staticMembers[instanceID] = member.id }
        }
        protocolType = ConsumerProtocol.protocolType
        generation = max(group.epoch, group.members.values.lazy.map(\.epoch).max() ?? 0)
        protocolName = electProtocol()
        prepareRebalance()
    }

    /// The members in the order in which they joined first.
    var sortedMembers: [ClassicMember] { members.values.sorted { $0.joinOrder < $1.joinOrder } }

    /// Whether every member has rejoined.
    var isJoinComplete: Bool { members.values.allSatisfy(\.hasJoined) }

    /// Milliseconds that members have to rejoin, or to fetch their assignments: what the slowest asked for.
    var rebalanceTimeout: Int32 { members.values.map(\.rebalanceTimeout).max() ?? 0 }

    mutating func apply(_ command: ClassicGroupCommand) -> CommandResult {
        switch command {
        case .join(let join):
            if let error = refusal(of: join) { return .refused(error) }
            return .joinedGroup(apply(join))
        case .completeJoin(let generation):
            if state == .preparingRebalance, generation == self.generation { completeJoin() }
            return .none
        case .sync(let sync):
            return apply(sync)
        case .remove(let memberIDs):
            remove(memberIDs)
            return .none
        }
    }

    // MARK: Joining

    private mutating func apply(_ join: ClassicJoin) -> ClassicJoinOutcome {
        let before = generation
        var replaced: ClassicJoinOutcome.Replaced?
        var isUnchanged = isUnchanged(by: join)
        if members[join.member.memberID] != nil {
            if !isUnchanged { members[join.member.memberID]?.update(join) }
        } else if let instanceID = join.member.instanceID, let old = staticMembers[instanceID] {
            replaced = ClassicJoinOutcome.Replaced(memberID: old, leaderID: leaderID)
            isUnchanged = replace(old, by: join)
        } else {
            add(join)
        }
        if !isUnchanged {
            if state != .preparingRebalance { prepareRebalance() }
            members[join.member.memberID]?.hasJoined = true
        }
        return ClassicJoinOutcome(generation: before, isUnchanged: isUnchanged, replaced: replaced)
    }

    private mutating func add(_ join: ClassicJoin) {
        if members.isEmpty { protocolType = join.protocolType }
        lastJoinOrder += 1
        members[join.member.memberID] = ClassicMember(join, joinOrder: lastJoinOrder)
        if let instanceID = join.member.instanceID { staticMembers[instanceID] = join.member.memberID }
    }

    /// A static member is back under a new id and takes the old one's place, assignment and all.
    ///
    /// - Returns: whether the group can stay as it is.
    private mutating func replace(_ old: String, by join: ClassicJoin) -> Bool {
        guard var member = members.removeValue(forKey: old) else { return false }
        let topics = subscribedTopics(of: member)
        member.memberID = join.member.memberID
        member.update(join)
        if leaderID == old { leaderID = member.memberID }
        members[member.memberID] = member
        if let instanceID = member.instanceID { staticMembers[instanceID] = member.memberID }
        // While it is completing, the old id is among those that the leader is about to assign to.
        return state == .stable && electProtocol() == protocolName && subscribedTopics(of: member) == topics
    }

    private func subscribedTopics(of member: ClassicMember) -> Set<String>? {
        ConsumerSubscription.topics(in: member.metadata(for: protocolName))
    }

    /// Why a join is refused; nil if it is not. Asked by the coordinator too, before anything is written.
    func refusal(of join: ClassicJoin) -> ErrorCode? {
        let member = join.member
        var replaced: String?
        if members[member.memberID] != nil {
            if let error = refusal(of: member) { return error }
        } else if join.isNew {
            replaced = member.instanceID.flatMap { staticMembers[$0] }
            if replaced == nil, members.count >= Int(join.sizeMax) { return .groupMaxSizeReached }
        } else {
            return refusal(of: member) ?? .unknownMemberID
        }
        guard !join.protocolType.isEmpty, !join.protocols.isEmpty else { return .inconsistentGroupProtocol }
        let others = members.values.filter { $0.memberID != member.memberID && $0.memberID != replaced }
        guard !others.isEmpty else { return nil }
        let isCommon = join.protocols.contains { supported in others.allSatisfy { $0.supports(supported.name) } }
        return join.protocolType == protocolType && isCommon ? nil : .inconsistentGroupProtocol
    }

    /// Whether the member may be told the generation there is: it asks again because an answer was lost, or says
    /// nothing new. A leader that rejoins a stable group wants a rebalance.
    func isUnchanged(by join: ClassicJoin) -> Bool {
        guard let member = members[join.member.memberID], member.protocols == join.protocols else { return false }
        switch state {
        case .empty, .preparingRebalance: return false
        case .completingRebalance: return true
        case .stable: return leaderID != member.memberID
        }
    }

    // MARK: Rebalancing

    private mutating func prepareRebalance() {
        for memberID in members.keys { members[memberID]?.hasJoined = false }
        state = .preparingRebalance
    }

    /// Makes the next generation of those who rejoined. Static members are kept even if they did not: they have until
    /// the end of their session to come back.
    private mutating func completeJoin() {
        drop(members.values.filter { !$0.hasJoined && $0.instanceID == nil }.map(\.memberID))
        guard !members.isEmpty else { return becomeEmpty() }
        let joined = sortedMembers.filter(\.hasJoined)
        // Nobody there to lead: the sessions decide who is left.
        guard let first = joined.first else { return }
        if !joined.contains(where: { $0.memberID == leaderID }) { leaderID = first.memberID }
        for memberID in members.keys {
            members[memberID]?.assignment = ByteBuffer()
            members[memberID]?.formerGeneration = nil
        }
        advanceGeneration()
        protocolName = electProtocol()
        state = .completingRebalance
    }

    private mutating func becomeEmpty() {
        advanceGeneration()
        state = .empty
        protocolName = nil
        leaderID = nil
    }

    private mutating func advanceGeneration() { generation = generation == .max ? 1 : generation + 1 }

    /// Each member votes for the first of its protocols that all support. Of equals the first by name wins.
    private func electProtocol() -> String? {
        var supporters: [String: Int] = [:]
        for member in members.values {
            for name in Set(member.protocols.map(\.name)) { supporters[name, default: 0] += 1 }
        }
        var votes: [String: Int] = [:]
        for member in members.values {
            let vote = member.protocols.first { supporters[$0.name] == members.count }
            if let vote { votes[vote.name, default: 0] += 1 }
        }
        return votes.min { ($1.value, $0.key) < ($0.value, $1.key) }?.key
    }

    private mutating func apply(_ sync: ClassicSync) -> CommandResult {
        guard members[sync.memberID] != nil else { return .refused(.unknownMemberID) }
        guard sync.generation == generation else { return .refused(.illegalGeneration) }
        guard state == .completingRebalance, sync.memberID == leaderID else {
            let mustJoin = state == .preparingRebalance || contradicts(sync.assignments, of: sync.memberID)
            return mustJoin ? .refused(.rebalanceInProgress) : .none
        }
        for entry in sync.assignments { members[entry.memberID]?.assignment = entry.assignment }
        state = .stable
        return .none
    }

    /// Whether the leader assigns something else than the group has got. It gave up waiting for a sync, which came
    /// after all, and has assigned anew since: unless it leads once more, it believes for good in what nobody was told.
    func contradicts(_ assignments: [ClassicSync.Assignment], of memberID: String) -> Bool {
        guard state == .stable, memberID == leaderID else { return false }
        return assignments.contains { entry in
            members[entry.memberID].map { $0.assignment != entry.assignment } ?? false
        }
    }

    // MARK: Leaving

    private mutating func remove(_ memberIDs: [String]) {
        guard drop(memberIDs) else { return }
        if members.isEmpty {
            becomeEmpty()
        } else if state != .preparingRebalance {
            prepareRebalance()
        }
    }

    /// - Returns: whether any of them was there.
    @discardableResult
    private mutating func drop(_ memberIDs: [String]) -> Bool {
        var hasDropped = false
        for memberID in memberIDs {
            guard let member = members.removeValue(forKey: memberID) else { continue }
            hasDropped = true
            if let instanceID = member.instanceID { staticMembers[instanceID] = nil }
            if leaderID == memberID { leaderID = nil }
        }
        return hasDropped
    }
}
