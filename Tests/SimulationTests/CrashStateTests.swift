import Simulation
import Testing

@Suite("A log that stops")
struct CrashStateTests {
    @Test("what was reported as flushed survives a stop at any call, and a stop of the recovery", arguments: 1...6)
    func crashStates(life: Int) {
        var states = CrashStates(seed: UInt64(life))
        states.run(every: 8)
        #expect(states.count > 100)
        #expect(states.problem == nil)
    }
}
