import Basics
import SegmentLog

/// What came of one experiment.
public struct ExperimentReport: Hashable, Sendable {
    public var options: ExperimentOptions
    /// Nil when everything held.
    public var violation: String?
    public var steps: UInt64
    public var virtualTime: TimeSpan
    /// Equal for equal runs.
    public var traceHash: UInt64
    public var faults: Int
    public var elections: Int
    public var blocksApplied: Int
    public var sent: Int
    public var acknowledged: Int
    public var read: Int
    /// Offsets that groups committed, and records that they read.
    public var committed: Int
    public var delivered: Int
    public var calls: Int
    public var failedCalls: Int

    /// All that clients asked for.
    public var operations: Int { calls }
}

/// One world from its start to its verdict: clients work while faults happen; then faults end, and within thirty
/// seconds everything must be as it was promised; then the power fails everywhere, and it must still be so.
///
/// Owner: whoever runs it, on one thread.
public final class Experiment {
    /// How long a mended cluster may take to do what it promised.
    public static let recoveryMax = TimeSpan.seconds(30)

    public let options: ExperimentOptions
    public let world: World
    private let workload: Workload
    private let nemesis: Nemesis
    private let promises: PromiseChecker
    private let shards: ShardChecker
    private let histories: LogMatchingChecker
    private let replicas: ReplicaChecker
    private let auditor: Auditor
    /// The members of groups as they were when the groups had settled first.
    private var settled: [String: MemberStanding]?

    public init(_ options: ExperimentOptions) {
        self.options = options
        world = World(seed: options.seed, options: options.world)
        workload = Workload(options.workload, in: world)
        nemesis = Nemesis(options.faults, in: world)
        promises = PromiseChecker(world)
        shards = ShardChecker(world, promises: promises)
        histories = LogMatchingChecker(world)
        replicas = ReplicaChecker(world, shards: shards)
        auditor = Auditor(client: world.makeClient(), history: workload.history)
        if !options.faults.isBeyondBudget { watch() }
        auditor.onRead = { [unowned self] lane, end in
            let name = auditor.lanes.first { $0.lane == lane }?.name ?? ""
            let renewed = workload.history.renewedNames
            if let flaw = workload.groups.check(lane, name: name, end: end, renewed: renewed) { world.fail(flaw) }
        }
        world.keepsPromises = !options.faults.isBeyondBudget
    }

    private func watch() {
        world.scheduler.onStep = { [unowned self] life in
            guard let node = world.brokers.first(where: { $0.life === life }), node.isRunning else { return }
            shards.observe(node)
            histories.observe(node)
        }
        world.onSpoken = { [unowned self] message, sender, peer in promises.spoken(message, by: sender, to: peer) }
        world.onHeard = { [unowned self] message, receiver, sender in
            promises.heard(message, by: receiver, from: sender)
        }
        world.onErase = { [unowned self] id in
            promises.forget(id)
            shards.forget(id)
            histories.forget(id)
        }
    }

    public func run() -> ExperimentReport {
        for broker in world.brokers { broker.start() }
        workload.start()
        nemesis.start()
        world.run(for: options.duration)
        nemesis.stop()
        workload.finish()
        if world.keepsPromises {
            verify()
            for broker in world.brokers { broker.crash(losing: .everythingUnflushed) }
            verify()
        }
        let report = report
        world.end()
        return report
    }

    private func verify() {
        wait("the damaged disk to be replaced") { !nemesis.isMending }
        wait("every broker to have applied all there is") { replicas.hasConverged }
        wait("every idempotent batch to be acknowledged", named: { workload.undecided.joined(separator: "; ") }) {
            workload.undecided.isEmpty
        }
        wait("the administrators to be answered") { !workload.isAdministered }
        auditor.produceEverywhere()
        wait("a produce to every partition to be acknowledged", named: { auditor.missing }) { auditor.isDone }
        verifyGroups()
        auditor.readEverything()
        wait("every partition to be read", named: { auditor.missing }) { auditor.isDone }
        workload.configurations?.readEverything()
        wait("every broker to tell its configurations") { workload.configurations?.isDone ?? true }
        // Last of all: a request that was held up somewhere may still arrive.
        wait("every broker to have applied all there is") { replicas.hasConverged }
        replicas.compareStates()
        replicas.compareLogs()
        wait("the logs to be read") { !replicas.isReading }
        replicas.compareSegments()
        replicas.compareIndices()
        wait("the partitions of deleted topics to be forgotten") {
            replicas.forgetsDeletedTopics(partitionCount: auditor.partitionCount)
        }
    }

    /// Every group comes to peace with all of its members and all partitions, and has read everything; and it stays as
    /// it is when nothing happens: not even the loss of every coordinator makes another generation.
    private func verifyGroups() {
        let groups = workload.groups
        guard !groups.isEmpty else { return }
        var quiet = groups.standings, since = world.scheduler.now
        let delivered = { [workload] in workload.history.statistics.delivered }
        wait("the groups to settle:", named: { groups.unsettled(auditor.lanes) ?? "they change" }, while: delivered) {
            let standings = groups.standings
            if standings != quiet || groups.unsettled(auditor.lanes) != nil {
                quiet = standings
                since = world.scheduler.now
            }
            // Before that the group may still wait for a member that is dead.
            return world.scheduler.now - since > (settled == nil ? GroupWorkload.deathMax : .seconds(1))
        }
        guard world.violation == nil, let before = settled else { return settled = quiet }
        for (name, standing) in before.sorted(by: { $0.key < $1.key }) where quiet[name] != standing {
            let now = quiet[name].map { "\($0)" } ?? "out"
            world.fail("\(name) was \(standing), and after a loss of power it is \(now)")
        }
    }

    /// Runs on until `condition` holds; a violation when that takes too long. As long as `progress` is made it may take
    /// four times as long: in a world with slow disks there is much to read.
    private func wait(
        _ what: String, named: () -> String = { "" }, while progress: () -> Int = { 0 }, until condition: () -> Bool
    ) {
        let began = world.scheduler.now
        var end = began + Self.recoveryMax, seen = progress()
        while world.violation == nil, !condition() {
            guard world.scheduler.now < end else {
                return world.fail("waited \(end - began) without faults in vain for \(what) \(named())")
            }
            world.run(for: .milliseconds(50))
            guard progress() != seen else { continue }
            seen = progress()
            end = min(world.scheduler.now, began + Self.recoveryMax * 3) + Self.recoveryMax
        }
    }

    private var report: ExperimentReport {
        let statistics = workload.history.statistics
        return ExperimentReport(
            options: options, violation: world.violation, steps: world.scheduler.steps,
            virtualTime: world.scheduler.now - .zero, traceHash: world.scheduler.traceHash, faults: nemesis.faults,
            elections: shards.elections, blocksApplied: shards.applied.reduce(0) { $0 + $1.count },
            sent: statistics.sent, acknowledged: statistics.acknowledged, read: statistics.read,
            committed: statistics.committed, delivered: statistics.delivered,
            calls: statistics.calls, failedCalls: statistics.failedCalls)
    }
}
