import Basics
import KafkaWire

/// A member of a group of the new protocol (KIP-848): one heartbeat after the other, by which it joins, is given lanes,
/// gives others up, and leaves.
///
/// Owner: the `GroupWorkload`. One heartbeat under way.
final class ConsumerProtocolMemberActor: GroupMember {
    let plan: GroupPlan
    let reader: GroupReader
    private let name: String
    private let instanceID: String?
    private let process: MemberProcess
    private let groups: GroupHistory
    private var random: RandomSource
    private var memberID = ""
    private var epoch: Int32 = 0
    /// What the group wants it to have; nil until it was told.
    private var target: Set<Lane>?
    /// What it does not read any more and has not given up yet.
    private var givingUp: Set<Lane> = []
    /// Until when it may take its time for that.
    private var givingUpEnd = Instant.distantFuture
    private var claim: PartitionClaims.Claim
    private(set) var subscription: [String]
    private var mustTellAll = true
    /// Counts its memberships: what was asked in an earlier one is of no interest any more.
    private var round = 0
    private var isBeating = false
    private var isLeaving = false
    private var lastBeat: Instant?
    /// When the first of those heartbeats was sent that were not answered.
    private var unansweredSince: Instant?
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
            guard epoch > 0, !isLeaving else { return nil }
            // Static members do not show their instance id when they commit, since the epoch fences.
            return GroupReader.Identity(
                memberID: memberID, epoch: epoch, instanceID: nil, showsEpoch: true, claim: claim, round: round)
        }
        reader.onRefusal = { [unowned self] code, identity in
            if identity.round == round, !isLeaving { refused(code, inHeartbeat: false) }
        }
    }

    func start() {
        world.scheduler.after(.milliseconds(Int64(random.next() % 1_000))) { [weak self] in self?.begin() }
        meetFate()
    }

    func finish() { isFinishing = true }

    var standing: MemberStanding? {
        guard epoch > 0, !isLeaving, givingUp.isEmpty, let target, target == reader.lanes else { return nil }
        return MemberStanding(name: name, epoch: epoch, lanes: target.sorted())
    }

    // MARK: Life

    private func begin() {
        process.begin()
        memberID = "\(name)-\(process.starts)"
        claim = PartitionClaims.Claim("\(name) (\(process.starts))", of: plan.id)
        isLeaving = false
        reader.start()
        process.refreshView()
        startOver()
    }

    private func end(isMachine: Bool = false) {
        giveUpEverything()
        process.end(isMachine: isMachine)
        let delay = TimeSpan.milliseconds(Int64(100 + random.next() % 4_000))
        world.scheduler.after(delay) { [weak self] in self?.begin() }
    }

    private func giveUpEverything() {
        round += 1
        groups.claims.giveUpAll(of: claim)
        reader.giveUpAll()
        givingUp = []
        givingUpEnd = .distantFuture
        target = nil
        epoch = 0
    }

    /// Joins anew.
    private func startOver(after delay: TimeSpan = .zero) {
        giveUpEverything()
        mustTellAll = true
        isBeating = false
        unansweredSince = nil
        beat(after: delay)
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
            guard plan.pattern == nil else { return }
            subscription = random.next() % 2 == 0 ? plan.topicNames : Array(plan.topicNames.dropFirst())
            mustTellAll = true
        case .none: break
        }
    }

    private func leave() {
        guard epoch > 0, !isLeaving else { return }
        let leaving = { [weak self] in
            guard let self, epoch > 0, !isLeaving else { return }
            giveUpEverything()
            isLeaving = true
            let isTemporary = instanceID != nil && random.next() % 2 == 0
            let request = ConsumerGroupHeartbeatRequest {
                $0.groupID = plan.id
                $0.memberID = memberID
                $0.instanceID = instanceID
                $0.memberEpoch = isTemporary
                    ? ConsumerGroupHeartbeatRequest.MemberEpoch.leaveStatic
                    : ConsumerGroupHeartbeatRequest.MemberEpoch.leave
            }
            process.askCoordinator(request) { [weak self] _ in self?.end() }
        }
        if random.next() % 2 == 0 { reader.commit(then: leaving) } else { leaving() }
    }

    // MARK: Heartbeats

    private func beat(after delay: TimeSpan) {
        let current = round
        process.after(delay) { [weak self] in
            guard let self, round == current, !isBeating, !isLeaving else { return }
            heartbeat()
        }
    }

    private func heartbeat() {
        isBeating = true
        let current = round, sent = world.scheduler.now, isJoin = epoch == 0, hasGivenUp = givingUp.isEmpty
        if unansweredSince == nil { unansweredSince = sent }
        // The answer may be lost that asks for lanes, and their time begins with it.
        groups.claims.cap(claim, at: (unansweredSince ?? sent) + .milliseconds(plan.rebalanceTimeout - 20))
        let request = heartbeatRequest
        mustTellAll = false
        process.askCoordinator(request, timeout: .milliseconds(1_500)) { [weak self] response in
            guard let self, round == current else { return }
            isBeating = false
            guard let response else {
                mustTellAll = true
                if random.next() % 4 == 0 { repeatLate(request) }
                return beat(after: .milliseconds(Int64(50 + random.next() % 200)))
            }
            guard response.errorCode == .none else { return refused(response.errorCode, inHeartbeat: true) }
            // Only now the coordinator knows, and does not expire it for that any more.
            if hasGivenUp { givingUpEnd = .distantFuture }
            answered(response, sent: sent, isJoin: isJoin)
        }
    }

    /// A heartbeat that had no answer arrives (again) when the member has gone on: a forgotten connection held it.
    private func repeatLate(_ request: ConsumerGroupHeartbeatRequest) {
        process.after(.milliseconds(Int64(random.next() % 3_000))) { [weak self] in
            self?.process.askCoordinator(request) { _ in }
        }
    }

    private var heartbeatRequest: ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest { request in
            request.groupID = plan.id
            request.memberID = memberID
            request.memberEpoch = epoch
            request.instanceID = instanceID
            if mustTellAll || epoch == 0 {
                request.rebalanceTimeoutMs = Int32(plan.rebalanceTimeout)
                if let pattern = plan.pattern {
                    request.subscribedTopicRegex = pattern
                } else {
                    request.subscribedTopicNames = subscription
                }
            }
            request.topicPartitions = GroupReader.byTopic(Array(reader.lanes.union(givingUp))).map { topic, lanes in
                TopicPartitions {
                    $0.topicID = topic
                    $0.partitions = lanes.map(\.partition)
                }
            }
        }
    }

    private func answered(_ response: ConsumerGroupHeartbeatResponse, sent: Instant, isJoin: Bool) {
        if response.memberEpoch < epoch {
            world.failPromise("group \(plan.id): \(name) is told epoch \(response.memberEpoch) after \(epoch)")
        }
        let isNewEpoch = response.memberEpoch != epoch, first = unansweredSince ?? sent
        if isNewEpoch { world.tell("\(name): epoch \(response.memberEpoch)") }
        epoch = response.memberEpoch
        unansweredSince = nil
        lastBeat = sent
        let end = sent + .milliseconds(plan.sessionTimeout - 20)
        if isNewEpoch { groups.claims.take([], for: claim, until: end) } else { groups.claims.renew(claim, until: end) }
        groups.claims.cap(claim, at: givingUpEnd)
        if let assignment = response.assignment {
            target = Set(assignment.topicPartitions.flatMap { topic in
                topic.partitions.map { Lane(topic: topic.topicID, partition: $0) }
            })
        }
        reconcile(asked: first)
        beat(after: .milliseconds(min(Int64(response.heartbeatIntervalMs), GroupPlan.heartbeatInterval)))
    }

    /// Gives up what it shall not have; when that is done it takes what is new.
    ///
    /// - Parameter asked: when the time may have begun that it has for it.
    private func reconcile(asked: Instant) {
        guard let target, let sent = lastBeat else { return }
        let surplus = reader.lanes.subtracting(target).subtracting(givingUp)
        if !surplus.isEmpty {
            giveUp(surplus, asked: asked)
        } else if givingUp.isEmpty {
            let new = target.subtracting(reader.lanes)
            guard !new.isEmpty else { return }
            groups.claims.take(new, for: claim, until: sent + .milliseconds(plan.sessionTimeout - 20))
            reader.take(new)
        }
    }

    /// Takes its time for it, more than it has now and then, and commits first perhaps.
    private func giveUp(_ lanes: Set<Lane>, asked: Instant) {
        givingUpEnd = min(givingUpEnd, asked + .milliseconds(plan.rebalanceTimeout - 20))
        groups.claims.cap(claim, at: givingUpEnd)
        givingUp.formUnion(lanes)
        let current = round
        let isSlow = random.next() % 16 == 0 && !isFinishing
        let release = { [weak self] in
            guard let self, round == current else { return }
            reader.giveUp(lanes)
            process.after(.milliseconds(Int64(random.next() % (isSlow ? 5_000 : 200)))) { [weak self] in
                guard let self, round == current else { return }
                groups.claims.giveUp(lanes, of: claim)
                givingUp.subtract(lanes)
                reconcile(asked: asked)
                beat(after: .zero)
            }
        }
        if random.next() % 2 == 0 { reader.commit(then: release) } else { release() }
    }

    /// The coordinator says no, to a heartbeat or to what the reader asks.
    private func refused(_ code: ErrorCode, inHeartbeat: Bool) {
        world.tell("\(name): refused with \(code)")
        switch code {
        case .unknownMemberID, .fencedMemberEpoch: startOver(after: .milliseconds(Int64(random.next() % 100)))
        case .fencedInstanceID: end()
        case .unreleasedInstanceID: startOver(after: .milliseconds(300))
        case .staleMemberEpoch: if !inHeartbeat { beat(after: .zero) }
        // The group went with the disks that held it.
        case .illegalGeneration where !world.keepsPromises: if !inHeartbeat { beat(after: .zero) }
        case _ where code.asksForCoordinator:
            process.forgetCoordinator()
            guard inHeartbeat else { return }
            mustTellAll = true
            beat(after: .milliseconds(Int64(50 + random.next() % 200)))
        default: world.fail("group \(plan.id): \(name) is refused with \(code)")
        }
    }
}
