import Basics
import Broker
import RaftCore
import SegmentLog

/// Brings faults into a world by seed, mends them after a while, and starts what has ended.
///
/// Owner: the `Experiment`.
final class Nemesis {
    private unowned let world: World
    private let options: FaultOptions
    private var random: RandomSource
    private(set) var isStopped = false
    private(set) var faults = 0
    private let damage: DiskDamage
    /// Whether all disks stand still when a leader is elected next.
    private var stallsAtElection = false

    private static let inputOutputError: Int32 = 5
    private static let noSpace: Int32 = 28

    init(_ options: FaultOptions, in world: World) {
        self.options = options
        self.world = world
        random = world.random.fork("faults")
        damage = DiskDamage(world, random: world.random.fork("damage"))
        world.onEnd = { [unowned self] id in ended(id) }
        world.onElection = { [unowned self] in elected() }
        damage.onReplaced = { [unowned self] id in ended(id) }
    }

    /// Faults begin when there has been time for an election, or for none in one world of four.
    func start() {
        if number(4) == 0 { return next() }
        world.scheduler.after(.milliseconds(1_500)) { [weak self] in self?.next() }
    }

    /// Whether a broker still waits for an empty disk.
    var isMending: Bool { damage.isReplacing || damage.hasHappened }

    /// No more faults; everything that was broken is mended and everything that is down starts.
    func stop() {
        isStopped = true
        world.tell("all faults end")
        world.network.healAll()
        world.network.options = SimulatedNetwork.Options()
        for broker in world.brokers {
            broker.forgetPlannedFailures()
            broker.files.setFull(false)
            if broker.isRunning, broker.isHeldUp { broker.crash(losing: .nothing) }
            if !broker.isRunning, !(damage.isReplacing && damage.isVictim(broker.id)) { start(broker) }
        }
        // A rotten disk is not found to be one before it is read.
        if damage.hasHappened { damage.replace() }
    }

    private func ended(_ id: NodeID) {
        let delay = isStopped ? TimeSpan.milliseconds(50) : span(.seconds(4))
        world.scheduler.after(delay) { [weak self] in
            guard let self, !world.broker(id).isRunning, !(damage.isReplacing && damage.isVictim(id)) else { return }
            start(world.broker(id))
        }
    }

    private func start(_ broker: SimulatedBroker) {
        broker.start()
        guard !broker.isRunning else { return }
        switch broker.failure {
        // The power failed meanwhile, or a call did: the next start may do better.
        case nil, .io: ended(broker.id)
        case .damaged where damage.hasHappened && damage.isVictim(broker.id): damage.replace()
        case .some where options.isBeyondBudget: empty(broker)
        case .some(let failure): world.fail("broker \(broker.id) refuses to start: \(failure)")
        }
    }

    // MARK: Draws

    private func number(_ bound: Int) -> Int { Int(random.next() % UInt64(max(1, bound))) }

    private func span(_ longest: TimeSpan) -> TimeSpan {
        TimeSpan(nanoseconds: 1_000_000 + Int64(random.next() % UInt64(longest.nanoseconds)))
    }

    private func victim() -> SimulatedBroker { world.brokers[number(world.brokers.count)] }

    private func loss() -> SimulatedFileSystem.Loss {
        number(3) == 0 ? .everythingUnflushed : .random
    }

    /// Whether a majority works, or for once need not: what is held up for long would otherwise pile up.
    private var mayHoldUpAnother: Bool {
        let working = world.brokers.filter { $0.isRunning && !$0.isHeldUp }.count
        return working > world.brokers.count / 2 + 1 || number(10) == 0
    }

    // MARK: Faults

    private func next() {
        guard !options.kinds.isEmpty else { return }
        // A calm now and then: faults that never end show nothing but a cluster that is down.
        let calm = number(6) == 0 ? TimeSpan.seconds(4) : .zero
        world.scheduler.after(span(options.intervalMax) + calm) { [weak self] in
            guard let self, !isStopped else { return }
            faults += 1
            bring(options.kinds[number(options.kinds.count)])
            next()
        }
    }

    private func bring(_ kind: FaultKind) {
        let victim = victim()
        world.tell("fault: \(kind.rawValue), broker \(victim.id)")
        switch kind {
        case .crash: victim.crash(losing: .nothing)
        case .powerLoss:
            if victim.isRunning { victim.losePower(afterCalls: number(8), losing: loss()) }
        case .massPowerLoss:
            let count = number(2) == 0 ? world.brokers.count : world.brokers.count / 2 + 1
            for broker in shuffled().prefix(count) where broker.isRunning {
                broker.losePower(afterCalls: number(4), losing: loss())
            }
        case .pause where mayHoldUpAnother:
            victim.pause(for: number(8) == 0 ? span(.seconds(60)) : span(options.durationMax))
        case .diskStall where mayHoldUpAnother: victim.stallDisk(for: span(.seconds(8)))
        case .pause, .diskStall: break
        case .writeError: fail(victim, .write, Self.inputOutputError)
        case .flushError: fail(victim, .flush, Self.inputOutputError)
        case .diskFull: fillDisk(of: victim)
        case .readError: fail(victim, .read, Self.inputOutputError)
        case .crashInRecovery:
            victim.planPowerLossAtStart(afterCalls: number(12), losing: loss())
            victim.crash(losing: loss())
        case .bitRot: damage.rot()
        case .replaceDisk: damage.replace()
        case .anyRot: damage.rotAnywhere()
        case .lostFlush: victim.files.lieNext(.flush)
        case .misdirectedWrite: victim.files.lieNext(.write)
        case .emptyDisk: empty(victim)
        case .partition, .oneWayCut, .bridge: cut(kind)
        case .slowNetwork: slowDown()
        case .connectionReset: resetConnections(of: victim)
        case .powerLossAtTruncation:
            if victim.isRunning { victim.losePowerAtTruncation(afterCalls: number(5), losing: loss()) }
        case .slowSuccession: endLeader()
        case .deposedLeader: isolateLeader()
        case .clockJump: world.setWallClock(of: victim.id, ahead: Milliseconds(number(1_200_000) - 600_000))
        }
    }

    private func fail(_ broker: SimulatedBroker, _ operation: StorageOperation, _ errno: Int32) {
        if broker.isRunning { broker.files.failNext(operation, errno: errno) }
    }

    private func empty(_ broker: SimulatedBroker) {
        let wasRunning = broker.isRunning
        broker.replaceDisk()
        if !wasRunning { ended(broker.id) }
    }

    private func fillDisk(of broker: SimulatedBroker) {
        guard number(2) == 0 else { return fail(broker, number(2) == 0 ? .write : .allocate, Self.noSpace) }
        broker.files.setFull(true)
        world.scheduler.after(span(options.durationMax)) { broker.files.setFull(false) }
    }

    private func shuffled() -> [SimulatedBroker] { world.brokers.shuffled(using: &random) }

    private func cut(_ kind: FaultKind) {
        let order = shuffled().map { Endpoint.broker($0.id) }
        var paths: [(Endpoint, Endpoint)] = []
        switch kind {
        case .partition:
            let size = 1 + number(order.count - 1)
            for one in order.prefix(size) {
                for other in order.dropFirst(size) { paths += [(one, other), (other, one)] }
            }
        case .oneWayCut:
            paths = order.dropFirst(1 + number(order.count - 1)).map { (order[0], $0) }
        default:
            paths = [(order[0], order[1]), (order[1], order[0])]
        }
        if number(3) == 0 {
            for client in world.clients where number(2) == 0 { paths.append((.client(client.number), order[0])) }
        }
        cut(paths, for: span(options.durationMax))
    }

    private func cut(_ paths: [(Endpoint, Endpoint)], for duration: TimeSpan) {
        for (from, to) in paths { world.network.setCut(from: from, to: to, true) }
        world.scheduler.after(duration) { [world] in
            for (from, to) in paths { world.network.setCut(from: from, to: to, false) }
        }
    }

    private func slowDown() {
        world.network.options.delayMax = span(.milliseconds(300))
        world.network.options.stallOneIn = UInt64(5 + number(50))
        world.scheduler.after(span(options.durationMax)) { [weak self] in
            guard let self, !isStopped else { return }
            world.network.options.delayMax = world.options.network.delayMax
            world.network.options.stallOneIn = world.options.network.stallOneIn
        }
    }

    private var leader: SimulatedBroker? {
        world.brokers.first { node in
            node.broker?.shardReports.contains { $0.status.role == .leader } ?? false
        }
    }

    private func endLeader() {
        guard let leader else { return }
        stallsAtElection = true
        leader.crash(losing: .nothing)
    }

    /// The disk stands still from a little later until a little after the leader is back, so that what it appended
    /// alone is still being flushed when it is cut off.
    private func isolateLeader() {
        guard let leader else { return }
        let peers = world.brokers.filter { $0.id != leader.id }.map { Endpoint.broker($0.id) }
        let clients = world.clients.filter { _ in number(3) == 0 }.map { Endpoint.client($0.number) }
        let alone = Endpoint.broker(leader.id)
        let paths = (peers + clients).flatMap { other in [(alone, other), (other, alone)] }
        let duration = TimeSpan.milliseconds(700) + span(.milliseconds(1_300))
        cut(paths, for: duration)
        if number(2) == 0 {
            // The next leader may be the last but one, which may still have in memory what it was cut off from.
            world.scheduler.after(duration + .seconds(1)) { [weak self] in
                if let self, !isStopped { isolateLeader() }
            }
        }
        guard number(2) == 0, mayHoldUpAnother else { return }
        let stall = duration + span(.seconds(2))
        world.scheduler.after(span(.milliseconds(200)), for: leader.life) { leader.stallDisk(for: stall) }
    }

    private func elected() {
        guard stallsAtElection, !isStopped else { return }
        stallsAtElection = false
        for broker in world.brokers where broker.isRunning { broker.stallDisk(for: span(.seconds(2))) }
    }

    private func resetConnections(of broker: SimulatedBroker) {
        for other in world.brokers where other.id != broker.id && number(2) == 0 {
            world.network.reset(.broker(broker.id), .broker(other.id))
        }
        for client in world.clients where number(2) == 0 {
            world.network.reset(.broker(broker.id), .client(client.number))
        }
    }
}
