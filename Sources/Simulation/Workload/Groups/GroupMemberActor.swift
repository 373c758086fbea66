import Basics
import KafkaWire
import NIOCore

/// A member of a group of the classic protocol: joins, assigns if it leads, sends heartbeats, reads and commits what it
/// has. When the group rebalances it gives up all of it if the group does so eagerly; else it goes on with it, gives up
/// what it is not assigned any more, and joins again.
///
/// Owner: the `GroupWorkload`. One request about its membership under way.
final class GroupMemberActor: GroupMember {
    private enum State: Equatable {
        case outside
        case joining
        case member
    }

    let plan: GroupPlan
    let reader: GroupReader
    private let name: String
    private let process: MemberProcess
    private let groups: GroupHistory
    private var random: RandomSource
    private var state = State.outside
    private var membership: ClassicMembership
    /// The generation that has assigned to it what it has; nil if it has nothing.
    private var assignedGeneration: Int32?
    /// The way of assigning that the generation agreed on.
    private var protocolName: String?
    private let holdings: ClassicHoldings
    private(set) var subscription: [String]
    /// What the group was told of it last, and when.
    private var told = ClassicSubscription(to: [], claim: nil)
    private var toldAt = Instant.zero
    /// Counts its attempts to join: what was asked for an earlier one is of no interest any more.
    private var round = 0
    /// Of the generation that it leads, if it does.
    private var led: LedGeneration?
    /// Whether it has still something that it is not assigned any more.
    private var isGivingUp = false
    private var isFinishing = false
    private var world: World { process.world }

    init(
        _ name: String, _ plan: GroupPlan, isStatic: Bool, in world: World, _ history: History, _ groups: GroupHistory
    ) {
        self.name = name
        self.plan = plan
        self.groups = groups
        membership = ClassicMembership(plan: plan, instanceID: isStatic ? name : nil)
        subscription = plan.topicNames
        random = world.random.fork(name)
        process = MemberProcess(name, plan, in: world, history: history)
        reader = GroupReader(name, plan, process, history: history, groups: groups)
        holdings = ClassicHoldings(name, plan, reader, groups)
        reader.identity = { [unowned self] in
            guard let assignedGeneration else { return nil }
            return GroupReader.Identity(
                memberID: membership.memberID, epoch: assignedGeneration, instanceID: membership.instanceID,
                claim: holdings.claim, round: round)
        }
        reader.onRefusal = { [unowned self] code, identity in
            if identity.round == round, state == .member { refused(code) }
        }
    }

    func start() {
        world.scheduler.after(.milliseconds(Int64(random.next() % 1_000))) { [weak self] in self?.begin() }
        meetFate()
    }

    func finish() { isFinishing = true }

    var standing: MemberStanding? {
        guard state == .member, !isGivingUp else { return nil }
        return MemberStanding(name: name, epoch: membership.generation, lanes: reader.lanes.sorted())
    }

    // MARK: Life

    private func begin() {
        process.begin()
        state = .outside
        membership.forget()
        holdings.begin("\(name) (\(process.starts))")
        reader.start()
        process.refreshView { [weak self] in self?.join() }
        beat()
    }

    private func end(isMachine: Bool = false) {
        giveUpAll()
        round += 1
        state = .outside
        process.end(isMachine: isMachine)
        let delay = TimeSpan.milliseconds(Int64(100 + random.next() % 4_000))
        world.scheduler.after(delay) { [weak self] in self?.begin() }
    }

    private func giveUpAll() {
        holdings.giveUpAll()
        assignedGeneration = nil
    }

    private func meetFate() {
        let span = plan.fateMax - plan.fateMin
        let delay = plan.fateMin + TimeSpan(nanoseconds: Int64(random.next() % UInt64(max(1, span.nanoseconds))))
        world.scheduler.after(delay) { [weak self] in
            guard let self, !isFinishing else { return }
            if process.starts > 0, process.life.isAlive, process.life.pausedUntil <= world.scheduler.now {
                meet(MemberFate(&random))
            }
            meetFate()
        }
    }

    private func meet(_ fate: MemberFate) {
        world.tell("\(name): \(fate)")
        switch fate {
        case .crash: end(isMachine: random.next() % 2 == 0)
        case .leave: leave()
        case .pause(let span): process.pause(for: span)
        case .subscribeAnew:
            subscription = random.next() % 2 == 0 ? plan.topicNames : Array(plan.topicNames.dropFirst())
            if state == .member { rejoin() }
        case .none: break
        }
    }

    private func leave() {
        let commitsFirst = random.next() % 2 == 0
        let leaving = { [weak self] in
            guard let self, state == .member else { return }
            giveUpAll()
            state = .outside
            round += 1
            process.askCoordinator(membership.leave) { [weak self] _ in self?.end() }
        }
        if commitsFirst { reader.commit(then: leaving) } else { leaving() }
    }

    // MARK: Joining

    /// Joins again, having committed what it has perhaps. What it is giving up it gives up before.
    private func rejoin() {
        guard !isGivingUp else { return }
        let current = round
        let join = { [weak self] in
            guard let self, round == current else { return }
            self.join()
        }
        if random.next() % 2 == 0 { reader.commit(then: join) } else { join() }
    }

    private func joinLater() {
        round += 1
        let current = round
        state = .joining
        process.after(.milliseconds(Int64(50 + random.next() % 200))) { [weak self] in
            guard let self, round == current else { return }
            join()
        }
    }

    private func join() {
        round += 1
        state = .joining
        led = nil
        isGivingUp = false
        if plan.rebalanceProtocol == .eager { giveUpAll() }
        holdings.giveUp(holdings.owned.filter { !subscription.contains($0.topic) })
        let current = round, least = groups.generations.newest(of: scope)
        let timeout = TimeSpan.milliseconds(plan.rebalanceTimeout + 2_000)
        told = ClassicSubscription(to: subscription, claim: claimed)
        toldAt = world.scheduler.now
        let assignors = plan.rebalanceProtocol.assignors(likingFair: name.hasSuffix("0"))
        process.askCoordinator(membership.join(told, assignors: assignors), timeout: timeout) { [weak self] response in
            guard let self, round == current else { return }
            guard let response else { return joinLater() }
            joined(response, least: least)
        }
    }

    private var claimed: ClassicSubscription.Claim? {
        guard plan.rebalanceProtocol == .cooperative else { return nil }
        return ClassicSubscription.Claim(partitions: holdings.owned, generation: membership.generation)
    }

    private func joined(_ response: JoinGroupResponse, least: Int32) {
        switch response.errorCode {
        case .none:
            membership.memberID = response.memberID
            forgetIfMissed(response.generationID)
            membership.generation = response.generationID
            protocolName = response.protocolName
            let leads = response.leader == response.memberID
            groups.generations.joined(
                scope, response.generationID, member: membership.name, leads: leads, least: least)
            guard leads else { return sync([]) }
            let current = round
            process.refreshView { [weak self] in
                guard let self, round == current else { return }
                lead(response.members, skipsAssignment: response.skipAssignment)
            }
        case .memberIDRequired:
            membership.memberID = response.memberID
            join()
        default: refused(response.errorCode)
        }
    }

    /// Where generations were made without it, and its claim is over, others may have had what it has.
    private func forgetIfMissed(_ new: Int32) {
        let last = membership.generation
        if holdings.isClaimOver, !(last...last + 1).contains(new) { giveUpAll() }
    }

    /// - Parameter skipsAssignment: the group has its assignment from a former self, and takes no other (KIP-814).
    private func lead(_ members: [JoinGroupResponse.Member], skipsAssignment: Bool) {
        let assignment = plan.rebalanceProtocol.assignment(to: members, of: process.view.topics)
        let patienceEnd = assignment.withheld == 0 || skipsAssignment
            ? Instant.distantFuture : world.scheduler.now + .milliseconds(2 * plan.rebalanceTimeout)
        led = LedGeneration(
            members: members, wanted: assignment.wanted, isInherited: skipsAssignment, patienceEnd: patienceEnd)
        guard !skipsAssignment else { return sync([]) }
        if assignment.withheld > 0 { world.tell("\(name): withholds \(assignment.withheld) lanes") }
        sync(assignment.members.map { memberID, lanes in
            SyncGroupRequest.Assignment {
                $0.memberID = memberID
                $0.assignment = plan.assignsByName
                    ? ClassicAssignment.encode(lanes, process.view.topics) : ClassicAssignment.encode(lanes)
            }
        })
    }

    private func sync(_ assignments: [SyncGroupRequest.Assignment]) {
        let current = round, sent = world.scheduler.now
        let request = membership.sync(assignments, protocolName: protocolName)
        let timeout = TimeSpan.milliseconds(plan.rebalanceTimeout + 2_000)
        process.askCoordinator(request, timeout: timeout) { [weak self] response in
            guard let self, round == current else { return }
            guard let response else { return joinLater() }
            guard response.errorCode == .none else { return refused(response.errorCode) }
            synced(response.assignment, sent)
        }
    }

    private func synced(_ assignment: ByteBuffer, _ sent: Instant) {
        let generation = membership.generation
        if plan.assignsByName, let partitions = ClassicAssignment.decodeNames(assignment) {
            if plan.kind == .classic {
                groups.generations.assigned(
                    plan.id, generation, member: membership.name, partitions: partitions.sorted())
            }
            return reconcile(with: partitions, sent)
        }
        guard !plan.assignsByName, let lanes = ClassicAssignment.decode(assignment) else {
            return world.fail("group \(plan.id): \(name) gets an assignment that nobody made")
        }
        groups.generations.assigned(plan.id, generation, member: membership.name, partitions: lanes)
        begin(lanes.count, sent, giveUpBy: .distantFuture)
        holdings.take(Set(lanes))
    }

    private func begin(_ count: Int, _ sent: Instant, giveUpBy end: Instant) {
        state = .member
        assignedGeneration = membership.generation
        world.tell("\(name): generation \(membership.generation) with \(count) lanes\(led == nil ? "" : ", leads")")
        holdings.begin(confirmed: sent, giveUpBy: end)
    }

    /// Gives up what the group does not want it to have, and joins again at once, so that others can have that.
    private func reconcile(with partitions: Set<NamedPartition>, _ sent: Instant) {
        let mustGiveUp = told.claim?.partitions.isSubset(of: partitions) == false
        // A group of the new protocol counts from when the member joined.
        let end = mustGiveUp && plan.kind == .mixed
            ? toldAt + .milliseconds(plan.rebalanceTimeout - 20) : Instant.distantFuture
        begin(partitions.count, sent, giveUpBy: end)
        let view = process.view
        guard mustGiveUp else { return holdings.take(partitions, view.topics) }
        isGivingUp = true
        let surplus = holdings.owned.subtracting(partitions), current = round
        world.tell("\(name): gives up \(surplus.count) lanes")
        let isSlow = random.next() % 16 == 0 && !isFinishing
        let release = { [weak self] in
            guard let self, round == current else { return }
            holdings.stopReading(surplus)
            process.after(.milliseconds(Int64(random.next() % (isSlow ? 5_000 : 200)))) { [weak self] in
                guard let self, round == current else { return }
                holdings.giveUp(surplus)
                holdings.take(partitions, view.topics)
                isGivingUp = false
                rejoin()
            }
        }
        if random.next() % 2 == 0 { reader.commit(then: release) } else { release() }
    }

    // MARK: Membership

    /// Whose generations only grow: in a group of the new protocol each member has its own.
    private var scope: String { plan.kind == .mixed ? "\(plan.id) \(membership.memberID)" : plan.id }

    /// A heartbeat now and then while it is a member, for the life of the process.
    private func beat() {
        process.after(.milliseconds(GroupPlan.heartbeatInterval)) { [weak self] in
            guard let self else { return }
            if state == .member { heartbeat() }
            beat()
        }
    }

    private func heartbeat() {
        let current = round, sent = world.scheduler.now
        process.askCoordinator(membership.heartbeat, timeout: .milliseconds(1_500)) { [weak self] response in
            guard let self, let response, round == current, state == .member else { return }
            guard response.errorCode == .none else { return refused(response.errorCode) }
            holdings.confirm(sent)
            // It may have changed while the member was joining.
            if subscription != told.topics { return rejoin() }
            lookForUnknown()
            lookForChanges()
        }
    }

    private func lookForUnknown() {
        guard holdings.hasUnknown else { return }
        let current = round
        process.refreshView { [weak self] in
            if let self, round == current, state == .member { holdings.takeKnown(process.view.topics) }
        }
    }

    private func lookForChanges() {
        guard led != nil, random.next() % 2 == 0 else { return }
        let current = round
        process.refreshView { [weak self] in
            guard let self, round == current, state == .member, let led else { return }
            let wanted = plan.rebalanceProtocol.assignment(to: led.members, of: process.view.topics).wanted
            if led.isOutdated(wanted, now: world.scheduler.now) { rejoin() }
        }
    }

    /// The coordinator says no.
    private func refused(_ code: ErrorCode) {
        world.tell("\(name): refused with \(code)")
        switch code {
        case .rebalanceInProgress: rejoin()
        case .illegalGeneration:
            giveUpAll()
            membership.generation = -1
            join()
        case .unknownMemberID, .fencedInstanceID:
            giveUpAll()
            membership.forget()
            join()
        case _ where code.asksForCoordinator:
            process.forgetCoordinator()
            if state != .member { joinLater() }
        default: world.fail("group \(plan.id): \(name) is refused with \(code)")
        }
    }
}
