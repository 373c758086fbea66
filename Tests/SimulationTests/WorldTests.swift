import Basics
import Broker
import RaftCore
import Simulation
import Testing

@Suite("A simulated world")
struct WorldTests {
    @Test("three brokers elect one leader, and all apply what it commits")
    func election() throws {
        let world = World(seed: 1, options: World.Options())
        for broker in world.brokers { broker.start() }
        world.run(for: .seconds(5))
        #expect(world.violation == nil)
        let reports = world.brokers.compactMap { $0.broker?.shardReports[0] }
        #expect(reports.filter { $0.status.role == .leader }.count == 1)
        #expect(reports.allSatisfy { $0.appliedIndex.rawValue >= 4 && $0.appliedIndex == reports[0].appliedIndex })
    }

    @Test("the same seed gives the same trace, another seed another one")
    func determinism() {
        func trace(_ seed: UInt64) -> UInt64 {
            let world = World(seed: seed, options: World.Options())
            for broker in world.brokers { broker.start() }
            world.run(for: .seconds(3))
            return world.scheduler.traceHash
        }
        #expect(trace(7) == trace(7))
        #expect(trace(7) != trace(8))
    }
}
