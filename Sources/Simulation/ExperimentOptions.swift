import Basics
import Broker
import SegmentLog

/// Everything about one experiment besides the numbers drawn while it runs.
public struct ExperimentOptions: Hashable, Sendable {
    public var seed: UInt64
    /// How long faults happen; mending, the last reading and the checks come after it.
    public var duration: TimeSpan
    public var world = World.Options()
    public var workload = WorkloadOptions()
    public var faults = FaultOptions()

    /// Draws the options from the seed: each world has its own kinds of faults, sizes and speeds ("swarm testing"),
    /// since a fault that happens all the time hides what another one would show.
    public init(seed: UInt64, duration: TimeSpan = .seconds(20)) {
        self.seed = seed
        self.duration = duration
        var random = RandomSource(seed: seed).fork("options")
        func pick<Choice>(_ choices: [Choice]) -> Choice { choices[Int(random.next() % UInt64(choices.count))] }

        world.brokerCount = pick([3, 3, 3, 5])
        world.shardCount = pick([1, 1, 2, 3])
        world.segmentBytes = pick([64, 256, 1_024]) * 1_024
        world.preallocate = pick([true, false])
        world.tailBytes = pick([32, 128, 512]) * 1_024
        world.compression = pick([.zstd(level: 1), .zstd(level: 1), .off])
        world.disk.latencyMax = .microseconds(pick([200, 2_000, 20_000]))
        world.network.delayMax = .microseconds(pick([500, 3_000, 3_000, 30_000]))
        world.network.stallOneIn = pick([0, 0, 1_000, 100])
        world.network.resetOneIn = pick([0, 0, 5_000, 500])
        world.network.duplicateOneIn = pick([0, 200, 20])

        workload.idempotentProducers = pick([1, 2, 3])
        workload.plainProducers = pick([0, 1, 3])
        workload.consumers = pick([1, 2, 3])
        workload.topics = pick([1, 2, 3])
        workload.partitionsMax = pick([1, 2, 4])
        workload.changesTopics = pick([true, false])
        workload.pauseMax = .milliseconds(pick([20, 100, 400]))
        workload.paddingMax = pick([20, 500, 3_000])

        drawGroups()
        drawMixedGroups()
        drawColdReads()
        faults.intervalMax = .milliseconds(pick([1_000, 3_000, 8_000]))
        faults.durationMax = .milliseconds(pick([500, 2_000, 6_000]))
        faults.kinds = FaultKind.allCases.filter { pick([true, false, false]) && !$0.isBeyondBudget }
        var budget = RandomSource(seed: seed).fork("budget")
        if budget.next() % 20 == 0 { faults.kinds += FaultKind.allCases.filter(\.isBeyondBudget) }
    }

    /// From a generator of their own, so that a world's other options are as they were without them.
    private mutating func drawGroups() {
        var random = RandomSource(seed: seed).fork("group options")
        func pick<Choice>(_ choices: [Choice]) -> Choice { choices[Int(random.next() % UInt64(choices.count))] }

        workload.classicGroups = pick([0, 0, 1, 2])
        workload.consumerGroups = pick([0, 0, 1, 2])
        workload.groupMembersMax = pick([1, 3, 5])
        workload.deletesRecords = pick([true, false])
        workload.changesConfigurations = pick([true, false])
    }

    private mutating func drawMixedGroups() {
        var random = RandomSource(seed: seed).fork("mixed groups")
        workload.mixedGroups = random.next() % 4 == 0 ? 1 : 0
    }

    /// In some worlds every broker is always too busy for consumers that are behind: a simulated loop is never late.
    private mutating func drawColdReads() {
        var random = RandomSource(seed: seed).fork("cold reads")
        guard random.next() % 3 == 0 else { return }
        world.coldReads.latenessMax = .zero
        world.coldReads.savedBytesMax = random.next() % 2 == 0 ? 0 : 2.mebibytes
        world.coldReads.waitMax = .milliseconds(Int64(50 + random.next() % 950))
    }
}

extension ExperimentOptions: CustomStringConvertible {
    public var description: String {
        """
        seed \(seed), \(duration.nanoseconds / 1_000_000_000) s with faults
        brokers \(world.brokerCount), shards \(world.shardCount), segments \(world.segmentBytes >> 10) KiB\
        \(world.preallocate ? " preallocated" : ""), tail \(world.tailBytes >> 10) KiB, \(world.compression)
        \(world.coldReads.latenessMax == .zero ? "cold reads wait up to \(world.coldReads.waitMax), " : "")\
        disk up to \(world.disk.latencyMax), network up to \(world.network.delayMax), one in: \
        stall \(world.network.stallOneIn), reset \(world.network.resetOneIn), twice \(world.network.duplicateOneIn)
        producers \(workload.idempotentProducers) idempotent + \(workload.plainProducers), \
        consumers \(workload.consumers)
        groups \(workload.classicGroups) classic + \(workload.consumerGroups) of the new protocol + \
        \(workload.mixedGroups) mixed, of up to \
        \(workload.groupMembersMax) members\(workload.deletesRecords ? ", deletions" : "")\
        \(workload.changesConfigurations ? ", configurations" : "")
        topics \(workload.topics)\(workload.changesTopics ? " changing" : "") of up to \
        \(workload.partitionsMax) partitions, pause up to \(workload.pauseMax), values around \(workload.paddingMax)
        faults every \(faults.intervalMax) for \(faults.durationMax) at most: \
        \(faults.kinds.map(\.rawValue).joined(separator: " "))
        """
    }
}
