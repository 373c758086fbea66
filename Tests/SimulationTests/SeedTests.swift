import Basics
import Simulation
import Testing

@Suite("Worlds by seed")
struct SeedTests {
    @Test("everything holds through the faults of short worlds", arguments: 1...UInt64(150))
    func shortWorld(seed: UInt64) {
        let report = Experiment(.brief(seed: seed)).run()
        #expect(report.violation == nil, "seed \(seed): \(report)")
        #expect(report.blocksApplied > 0)
    }

    @Test("two runs of a world are equal to the last event", arguments: [3, 35, 117] as [UInt64])
    func determinism(seed: UInt64) {
        #expect(Experiment(.brief(seed: seed)).run() == Experiment(.brief(seed: seed)).run())
    }

    @Test("a world without faults acknowledges all it is sent and reads it back")
    func calmWorld() {
        var options = ExperimentOptions.brief(seed: 1)
        options.faults.kinds = []
        options.workload.changesTopics = false
        options.workload.plainProducers = 0
        options.world.network = SimulatedNetwork.Options()
        let report = Experiment(options).run()
        #expect(report.violation == nil)
        #expect(report.sent > 100)
        #expect(report.acknowledged == report.sent)
        #expect(report.read >= report.sent)
    }
}

extension ExperimentOptions {
    /// Four seconds and small values, for builds without optimization.
    static func brief(seed: UInt64) -> ExperimentOptions {
        var options = ExperimentOptions(seed: seed, duration: .seconds(4))
        // A process of a broker that stops, as it may where records may be lost, would end the tests.
        options.faults.kinds.removeAll(where: \.isBeyondBudget)
        options.workload.paddingMax = min(options.workload.paddingMax, 100)
        options.workload.pauseMax = max(options.workload.pauseMax, .milliseconds(100))
        options.workload.consumers = 1
        options.workload.classicGroups = min(options.workload.classicGroups, 1)
        options.workload.consumerGroups = min(options.workload.consumerGroups, 1)
        options.workload.groupMembersMax = min(options.workload.groupMembersMax, 3)
        options.faults.intervalMax = .milliseconds(1_500)
        options.faults.durationMax = .milliseconds(1_000)
        return options
    }
}
