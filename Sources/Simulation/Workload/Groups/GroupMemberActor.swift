import Basics
import KafkaWire
import NIOCore

/// A member of a group of the classic protocol: joins, assigns if it leads, sends heartbeats, reads and commits what it
/// has, and gives up all of it whenever the group rebalances.
///
/// Owner: the `GroupWorkload`. One request about its membership under way.
final class GroupMemberActor: GroupMember {
    private enum State: Equatable {
        case outside
        case joining
        case member
    }

    private struct Led {
        let members: [JoinGroupResponse.Member]
        /// What is to be assigned.
        let lanes: [Lane]
        /// The generation has its assignment from the leader's former self.
        let isInherited: Bool
    }

    let plan: GroupPlan
    let reader: GroupReader
    private let name: String
    private let instanceID: String?
    private let process: MemberProcess
    private let groups: GroupHistory
    private var random: RandomSource
    private var state = State.outside
    private var memberID = ""
    private var generation: Int32 = -1
    /// The way of assigning that the generation agreed on. They differ by name only.
    private var protocolName: String?
    private var claim: PartitionClaims.Claim
    private(set) var subscription: [String]
    /// What the group was told of it last.
    private var toldSubscription: [String] = []
    /// Counts its attempts to join: what was asked for an earlier one is of no interest any more.
    private var round = 0
    /// Of the generation that it leads, if it does.
    private var led: Led?
    /// What it is assigned of topics that it does not know yet, where assignments name them.
    private var unknown: [(name: String, partition: Int32)] = []
    /// When what the coordinator has confirmed last was asked for.
    private var confirmed = Instant.zero
    private var isFinishing = false
    private var world: World { process.world }

    init(
        _ name: String, _ plan: GroupPlan, isStatic: Bool, in world: World, _ history: History, _ groups: GroupHistory
    ) {
        self.name = name
        self.plan = plan
        self.groups = groups
        instanceID = isStatic ? name : nil
        subscription = plan.topicNames
        random = world.random.fork(name)
        process = MemberProcess(name, plan, in: world, history: history)
        reader = GroupReader(name, plan, process, history: history, groups: groups)
        claim = PartitionClaims.Claim(name, of: plan.id)
        reader.identity = { [unowned self] in
            guard state == .member else { return nil }
            return GroupReader.Identity(
                memberID: memberID, epoch: generation, instanceID: instanceID, claim: claim, round: round)
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
        guard state == .member else { return nil }
        return MemberStanding(name: name, epoch: generation, lanes: reader.lanes.sorted())
    }

    // MARK: Life

    private func begin() {
        process.begin()
        state = .outside
        memberID = ""
        generation = -1
        claim = PartitionClaims.Claim("\(name) (\(process.starts))", of: plan.id)
        reader.start()
        process.refreshView { [weak self] in self?.join() }
        beat()
    }

    private func end(isMachine: Bool = false) {
        groups.claims.giveUpAll(of: claim)
        reader.giveUpAll()
        round += 1
        state = .outside
        process.end(isMachine: isMachine)
        let delay = TimeSpan.milliseconds(Int64(100 + random.next() % 4_000))
        world.scheduler.after(delay) { [weak self] in self?.begin() }
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
            groups.claims.giveUpAll(of: claim)
            reader.giveUpAll()
            state = .outside
            round += 1
            let request = LeaveGroupRequest { request in
                request.groupID = plan.id
                request.members = [
                    LeaveGroupRequest.Member {
                        $0.memberID = memberID
                        $0.groupInstanceID = instanceID
                    }
                ]
            }
            process.askCoordinator(request) { [weak self] _ in self?.end() }
        }
        if commitsFirst { reader.commit(then: leaving) } else { leaving() }
    }

    // MARK: Joining

    /// Gives up all it has, having committed it perhaps.
    private func rejoin() {
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
        unknown = []
        groups.claims.giveUpAll(of: claim)
        reader.giveUpAll()
        let current = round, least = groups.generations.newest(of: scope)
        let timeout = TimeSpan.milliseconds(plan.rebalanceTimeout + 2_000)
        toldSubscription = subscription
        process.askCoordinator(joinRequest, timeout: timeout) { [weak self] response in
            guard let self, round == current else { return }
            guard let response else { return joinLater() }
            joined(response, least: least)
        }
    }

    private var joinRequest: JoinGroupRequest {
        JoinGroupRequest { request in
            request.groupID = plan.id
            request.sessionTimeoutMs = Int32(plan.sessionTimeout)
            request.rebalanceTimeoutMs = Int32(plan.rebalanceTimeout)
            request.memberID = memberID
            request.groupInstanceID = instanceID
            request.protocolType = "consumer"
            // All can do the second, so one is elected that not everybody likes best.
            request.protocols = (name.hasSuffix("0") ? ["fair", "range"] : ["range"]).map { way in
                JoinGroupRequest.SupportedProtocol {
                    $0.name = way
                    $0.metadata = ClassicAssignment.subscription(to: subscription)
                }
            }
        }
    }

    private func joined(_ response: JoinGroupResponse, least: Int32) {
        switch response.errorCode {
        case .none:
            memberID = response.memberID
            generation = response.generationID
            protocolName = response.protocolName
            let leads = response.leader == memberID
            groups.generations.joined(
                scope, generation, member: instanceID ?? memberID, leads: leads, least: least)
            guard leads else { return sync([]) }
            let current = round
            process.refreshView { [weak self] in
                guard let self, round == current else { return }
                lead(response.members, skipsAssignment: response.skipAssignment)
            }
        case .memberIDRequired:
            memberID = response.memberID
            join()
        default: refused(response.errorCode)
        }
    }

    /// - Parameter skipsAssignment: the group has its assignment from a former self, and takes no other (KIP-814).
    private func lead(_ members: [JoinGroupResponse.Member], skipsAssignment: Bool) {
        let assignment = ClassicAssignment.range(members, process.view.topics)
        led = Led(
            members: members, lanes: assignment.flatMap(\.lanes).sorted(), isInherited: skipsAssignment)
        guard !skipsAssignment else { return sync([]) }
        sync(assignment.map { memberID, lanes in
            SyncGroupRequest.Assignment {
                $0.memberID = memberID
                $0.assignment = plan.kind == .mixed
                    ? ClassicAssignment.encode(lanes, process.view.topics) : ClassicAssignment.encode(lanes)
            }
        })
    }

    private func sync(_ assignments: [SyncGroupRequest.Assignment]) {
        let current = round, sent = world.scheduler.now
        let request = SyncGroupRequest { request in
            request.groupID = plan.id
            request.generationID = generation
            request.memberID = memberID
            request.groupInstanceID = instanceID
            request.protocolType = "consumer"
            request.protocolName = protocolName
            request.assignments = assignments
        }
        let timeout = TimeSpan.milliseconds(plan.rebalanceTimeout + 2_000)
        process.askCoordinator(request, timeout: timeout) { [weak self] response in
            guard let self, round == current else { return }
            guard let response else { return joinLater() }
            guard response.errorCode == .none else { return refused(response.errorCode) }
            synced(response.assignment, sent)
        }
    }

    private func synced(_ assignment: ByteBuffer, _ sent: Instant) {
        confirmed = sent
        guard plan.kind != .mixed else { return syncedByName(assignment) }
        guard let lanes = ClassicAssignment.decode(assignment) else {
            return world.fail("group \(plan.id): \(name) gets an assignment that nobody made")
        }
        groups.generations.assigned(plan.id, generation, member: instanceID ?? memberID, lanes: lanes)
        state = .member
        world.tell("\(name): generation \(generation) with \(lanes.count) lanes\(led == nil ? "" : ", leads")")
        groups.claims.take(Set(lanes), for: claim, until: sent + claimSpan)
        reader.take(Set(lanes))
    }

    private func syncedByName(_ assignment: ByteBuffer) {
        guard let named = ClassicAssignment.decodeNames(assignment) else {
            return world.fail("group \(plan.id): \(name) gets an assignment that nobody made")
        }
        unknown = named
        state = .member
        world.tell("\(name): generation \(generation) with \(named.count) lanes\(led == nil ? "" : ", leads")")
        takeKnown()
    }

    /// Takes those of the lanes assigned by name that it knows by now.
    private func takeKnown() {
        let topics = process.view.topics
        var lanes: Set<Lane> = [], unknown: [(name: String, partition: Int32)] = []
        for named in self.unknown {
            if let topic = topics.first(where: { $0.name == named.name && $0.partitionCount > named.partition }) {
                lanes.insert(Lane(topic: topic.id, partition: named.partition))
            } else {
                unknown.append(named)
            }
        }
        self.unknown = unknown
        groups.claims.take(lanes, for: claim, until: confirmed + claimSpan)
        reader.take(lanes)
    }

    // MARK: Membership

    /// Whose generations only grow: in a group of the new protocol each member has its own.
    private var scope: String { plan.kind == .mixed ? "\(plan.id) \(memberID)" : plan.id }

    /// How long what the coordinator has confirmed holds, measured by a clock that may be a little fast.
    private var claimSpan: TimeSpan { .milliseconds(min(plan.sessionTimeout, plan.rebalanceTimeout) - 20) }

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
        let request = HeartbeatRequest {
            $0.groupID = plan.id
            $0.generationID = generation
            $0.memberID = memberID
            $0.groupInstanceID = instanceID
        }
        process.askCoordinator(request, timeout: .milliseconds(1_500)) { [weak self] response in
            guard let self, let response, round == current, state == .member else { return }
            guard response.errorCode == .none else { return refused(response.errorCode) }
            confirmed = sent
            groups.claims.renew(claim, until: sent + claimSpan)
            // It may have changed while the member was joining.
            if subscription != toldSubscription { return rejoin() }
            lookForUnknown()
            lookForChanges()
        }
    }

    private func lookForUnknown() {
        guard !unknown.isEmpty else { return }
        let current = round
        process.refreshView { [weak self] in
            if let self, round == current, state == .member { takeKnown() }
        }
    }

    /// The leader rejoins when what there is to assign has changed; and when its former self made the assignment, since
    /// it does not know what the others got then.
    private func lookForChanges() {
        guard led != nil, random.next() % 2 == 0 else { return }
        let current = round
        process.refreshView { [weak self] in
            guard let self, round == current, state == .member, let led else { return }
            let lanes = ClassicAssignment.range(led.members, process.view.topics).flatMap(\.lanes).sorted()
            if led.isInherited || lanes != led.lanes { rejoin() }
        }
    }

    /// The coordinator says no.
    private func refused(_ code: ErrorCode) {
        world.tell("\(name): refused with \(code)")
        switch code {
        case .rebalanceInProgress: rejoin()
        case .illegalGeneration:
            generation = -1
            join()
        case .unknownMemberID, .fencedInstanceID:
            memberID = ""
            generation = -1
            join()
        case _ where code.asksForCoordinator:
            process.forgetCoordinator()
            if state != .member { joinLater() }
        default: world.fail("group \(plan.id): \(name) is refused with \(code)")
        }
    }
}
