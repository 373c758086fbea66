import Basics
import KafkaWire
import NIOCore

/// What the coordinator knows of a group of the classic protocol beside its state: who waits, and until when.
///
/// Owner: the `GroupCoordinator`, on the event loop. Volatile: a new leader begins with fresh timers. Every state but
/// `empty` and `stable` has a timer here, and every member a session, so that no group waits for ever. A class, because
/// answering a client may lead to its next request before the answer returns.
final class CoordinatedGroup {
    private struct Phase: Equatable {
        var state: ClassicGroup.State
        var generation: Int32
    }

    /// The first members of an empty group wait a little for others (KIP-134).
    private struct InitialDelay {
        var until: NIODeadline
        let end: NIODeadline
        var hasNewMember = false
    }

    private let initialDelayLength: TimeAmount
    private var phase: Phase?
    private var phaseBegan = NIODeadline.distantFuture
    private(set) var joins: [String: WaitingJoin] = [:]
    private(set) var syncs: [String: WaitingSync] = [:]
    /// Member ids given to clients that have not joined with them yet, and until when they are theirs.
    private(set) var pendingMembers: [String: NIODeadline] = [:]
    private var sessions: [String: NIODeadline] = [:]
    /// Members of the generation that have not asked for their assignment.
    private var unsynced: Set<String> = []
    private var joinDeadline: NIODeadline?
    private var syncDeadline: NIODeadline?
    private var initialDelay: InitialDelay?
    private var isCompletionProposed = false
    /// The time before which `commandsDue` has nothing to say; may be earlier than needed, never later.
    private(set) var nextDeadline = NIODeadline.distantFuture

    init(initialDelay: TimeAmount) { initialDelayLength = initialDelay }

    /// Whether there is nothing to remember.
    var isIdle: Bool { joins.isEmpty && syncs.isEmpty && pendingMembers.isEmpty && sessions.isEmpty }

    // MARK: Members

    /// Gives a member a full session from now on.
    func touch(_ memberID: String, of group: ClassicGroup, now: NIODeadline) {
        guard let member = group.members[memberID] else { return }
        sessions[memberID] = now + .milliseconds(Int64(member.sessionTimeout))
        note(sessions[memberID])
    }

    func addPending(_ memberID: String, until deadline: NIODeadline) {
        pendingMembers[memberID] = deadline
        note(deadline)
    }

    /// - Returns: whether the id was given out and not used.
    @discardableResult
    func removePending(_ memberID: String) -> Bool { pendingMembers.removeValue(forKey: memberID) != nil }

    func wait(_ join: WaitingJoin, as memberID: String) {
        let previous = joins.updateValue(join, forKey: memberID)
        previous?.answer(.refused(.rebalanceInProgress, memberID: memberID))
    }

    func wait(_ sync: WaitingSync, as memberID: String) {
        let previous = syncs.updateValue(sync, forKey: memberID)
        previous?.answer(.refused(.rebalanceInProgress))
    }

    func noteSync(_ memberID: String) { unsynced.remove(memberID) }

    /// The join is in the state machine.
    ///
    /// - Returns: false if the member has asked again meanwhile and this answer is no longer wanted.
    func joined(_ waiting: WaitingJoin, as memberID: String, of group: ClassicGroup, now: NIODeadline) -> Bool {
        guard joins[memberID] === waiting else { return false }
        waiting.isApplied = true
        removePending(memberID)
        touch(memberID, of: group, now: now)
        initialDelay?.hasNewMember = true
        return true
    }

    /// Takes a waiting join out, to be answered by the caller; false if it is not there any more.
    func remove(_ waiting: WaitingJoin, as memberID: String) -> Bool {
        guard joins[memberID] === waiting else { return false }
        joins[memberID] = nil
        return true
    }

    func remove(_ waiting: WaitingSync, as memberID: String) -> Bool {
        guard syncs[memberID] === waiting else { return false }
        syncs[memberID] = nil
        return true
    }

    /// Answers whatever waits under that id with an error.
    func refuseAll(as memberID: String, _ code: ErrorCode) {
        joins.removeValue(forKey: memberID)?.answer(.refused(code, memberID: memberID))
        syncs.removeValue(forKey: memberID)?.answer(.refused(code))
    }

    /// Answers everybody with an error.
    func refuseAll(_ code: ErrorCode) {
        for memberID in Set(joins.keys).union(syncs.keys).sorted() { refuseAll(as: memberID, code) }
    }

    // MARK: Following the state machine

    /// Takes over a group from an earlier leader: everybody gets a fresh session, and the state its timer.
    func adopt(_ group: ClassicGroup, now: NIODeadline) {
        enter(Phase(state: group.state, generation: group.generation), group, now, isAdopted: true)
        observe(group, now: now)
    }

    /// The group may have changed: starts and stops timers and answers whoever waited for this.
    func observe(_ group: ClassicGroup, now: NIODeadline) {
        let current = Phase(state: group.state, generation: group.generation)
        if current != phase { enter(current, group, now, isAdopted: false) }
        sessions = sessions.filter { group.members[$0.key] != nil }
        for memberID in group.members.keys where sessions[memberID] == nil { touch(memberID, of: group, now: now) }
        answerJoins(group)
        answerSyncs(group)
    }

    /// There is no such group any more.
    func observeNothing() {
        phase = nil
        sessions = [:]
        for memberID in joins.keys.sorted() where joins[memberID]?.isApplied == true {
            refuseAll(as: memberID, .unknownMemberID)
        }
        for memberID in syncs.keys.sorted() { refuseAll(as: memberID, .unknownMemberID) }
    }

    private func enter(_ new: Phase, _ group: ClassicGroup, _ now: NIODeadline, isAdopted: Bool) {
        let old = phase
        phase = new
        phaseBegan = now
        isCompletionProposed = false
        joinDeadline = nil
        initialDelay = nil
        let timeout = TimeAmount.milliseconds(Int64(max(group.rebalanceTimeout, 0)))
        switch new.state {
        case .preparingRebalance:
            joinDeadline = now + timeout
            let wasEmpty = old == nil || old?.state == .empty
            // One that was of the new protocol until now has members already, who shall join again at once.
            if wasEmpty, !isAdopted, group.isJoinComplete {
                initialDelay = InitialDelay(until: now + min(initialDelayLength, timeout), end: now + timeout)
            }
        case .completingRebalance:
            unsynced = Set(group.members.values.filter(\.hasJoined).map(\.memberID))
            for memberID in unsynced { touch(memberID, of: group, now: now) }
            syncDeadline = now + timeout
        case .stable:
            // Whoever has not asked for its assignment yet still has until the deadline.
            if old != Phase(state: .completingRebalance, generation: new.generation) { forgetSyncs() }
        case .empty:
            forgetSyncs()
        }
        if new.state == .preparingRebalance { forgetSyncs() }
        note(joinDeadline)
        note(syncDeadline)
        note(initialDelay?.until)
    }

    private func forgetSyncs() {
        unsynced = []
        syncDeadline = nil
    }

    private func answerJoins(_ group: ClassicGroup) {
        for memberID in joins.keys.sorted() {
            guard let waiting = joins[memberID], waiting.isApplied else { continue }
            guard let member = group.members[memberID] else {
                refuseAll(as: memberID, .unknownMemberID)
                continue
            }
            // Not counted among those who rejoined, although its join is applied: then it has got its generation, and
            // another rebalance has begun since.
            if group.state == .preparingRebalance, member.hasJoined { continue }
            joins[memberID] = nil
            waiting.answer(
                .joined(group, memberID: memberID, leaderID: group.leaderID ?? "", skipsAssignment: false))
        }
    }

    private func answerSyncs(_ group: ClassicGroup) {
        for memberID in syncs.keys.sorted() {
            guard let waiting = syncs[memberID] else { continue }
            let answer: SyncAnswer
            if let member = group.members[memberID] {
                let isCurrent = waiting.generation == group.generation
                if isCurrent, group.state == .completingRebalance { continue }
                let isAssigned = isCurrent && group.state == .stable
                    && !group.contradicts(waiting.assignments, of: memberID)
                answer = isAssigned ? SyncAnswer(member, of: group) : .refused(.rebalanceInProgress)
            } else {
                answer = .refused(.unknownMemberID)
            }
            syncs[memberID] = nil
            waiting.answer(answer)
        }
    }

    // MARK: Timers

    private func note(_ deadline: NIODeadline?) {
        if let deadline, deadline < nextDeadline { nextDeadline = deadline }
    }

    /// The command that ends the wait for members, once all are there.
    func completionIfReady(_ group: ClassicGroup) -> ClassicGroupCommand? {
        guard group.state == .preparingRebalance, !isCompletionProposed, initialDelay == nil, pendingMembers.isEmpty,
            group.isJoinComplete
        else { return nil }
        isCompletionProposed = true
        return .completeJoin(generation: group.generation)
    }

    /// The completion was applied, or was not accepted: it may be proposed again.
    func completionEnded(isAccepted: Bool, now: NIODeadline) {
        isCompletionProposed = false
        if !isAccepted { note(now + .milliseconds(100)) }
    }

    /// What the time demands. Timers do not change the group: they propose. What is proposed is asked for again later,
    /// in case it comes to nothing.
    func commandsDue(_ group: ClassicGroup?, now: NIODeadline) -> [ClassicGroupCommand] {
        guard nextDeadline <= now else { return [] }
        pendingMembers = pendingMembers.filter { $0.value > now }
        var commands: [ClassicGroupCommand] = []
        if let group {
            let silent = silentMembers(group, now).union(lateSyncs(group, now))
            if !silent.isEmpty { commands.append(.remove(memberIDs: silent.sorted())) }
            endInitialDelay(now)
            if group.state == .preparingRebalance, let deadline = joinDeadline, deadline <= now {
                joinDeadline = now + Self.again(group.rebalanceTimeout)
                isCompletionProposed = true
                commands.append(.completeJoin(generation: group.generation))
            }
        }
        nextDeadline = ([joinDeadline, syncDeadline, initialDelay?.until].compactMap { $0 } + sessions.values
            + pendingMembers.values).min() ?? .distantFuture
        return commands
    }

    /// Members whose session is over. One that waits for a rebalance to end cannot send heartbeats: it is there as long
    /// as its connection is.
    private func silentMembers(_ group: ClassicGroup, _ now: NIODeadline) -> Set<String> {
        let over = sessions.filter { $0.value <= now }.keys
        for memberID in over { touch(memberID, of: group, now: now) }
        return Set(over.filter { joins[$0]?.isWanted() != true })
    }

    /// Members that know of the generation and do not ask for their assignment; the leader, if there is none and none
    /// is on its way into the log: it would be told that it was in time, and removed behind that.
    private func lateSyncs(_ group: ClassicGroup, _ now: NIODeadline) -> Set<String> {
        guard let deadline = syncDeadline, deadline <= now else { return [] }
        var late = unsynced
        if group.state == .completingRebalance {
            syncDeadline = now + Self.again(group.rebalanceTimeout)
            if let leaderID = group.leaderID, syncs[leaderID] == nil { late.insert(leaderID) }
        } else {
            forgetSyncs()
        }
        return late
    }

    private func endInitialDelay(_ now: NIODeadline) {
        guard var delay = initialDelay, delay.until <= now else { return }
        guard delay.hasNewMember, now < delay.end else { return initialDelay = nil }
        delay.until = min(now + initialDelayLength, delay.end)
        delay.hasNewMember = false
        initialDelay = delay
    }

    // MARK: For people

    /// Whom the group waits for in the present rebalance.
    func holdUp(of group: ClassicGroup, now: NIODeadline) -> GroupHoldUp? {
        let missing: GroupHoldUp.Missing
        let members: [ClassicMember]
        switch group.state {
        case .preparingRebalance:
            missing = .join
            members = group.sortedMembers.filter { !$0.hasJoined }
        case .completingRebalance:
            missing = .assignment
            members = group.sortedMembers.filter { $0.memberID == group.leaderID }
        case .stable, .empty:
            return nil
        }
        guard !members.isEmpty else { return nil }
        return GroupHoldUp(
            members: members.map { GroupHoldUp.Member(id: $0.memberID, clientID: $0.clientID) }, missing: missing,
            elapsed: max(now - phaseBegan, .zero))
    }

    private static func again(_ timeout: Int32) -> TimeAmount { .milliseconds(Int64(max(timeout, 1_000))) }
}
