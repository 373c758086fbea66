import Basics
import SegmentLog

/// Stops a log's disk at each of its calls in turn, recovers from what is left while the power fails once more, and
/// judges what recovery finds.
///
/// Each round is another life. The first round of each three loses nothing, the second everything unflushed, the third
/// has each unflushed sector old, new or torn.
public struct CrashStates {
    /// States that recovery was judged on so far.
    public private(set) var count = 0
    /// What went wrong first.
    public private(set) var problem: String?

    public init() {}

    /// Goes on until this many states were judged, or something went wrong.
    public mutating func run(states: Int, seed: UInt64 = 1) {
        var round = seed
        while count < states, problem == nil {
            let loss: SimulatedFileSystem.Loss =
                switch round % 3 {
                case 0: .nothing
                case 1: .everythingUnflushed
                default: .random
                }
            runRound(round, losing: loss, states: states)
            round += 1
        }
    }

    private mutating func runRound(_ round: UInt64, losing loss: SimulatedFileSystem.Loss, states: Int) {
        let whole = SimulatedFileSystem()
        CrashLife(disk: whole, seed: round).run()
        for stop in 0...whole.calls.count where count < states && problem == nil {
            let disk = SimulatedFileSystem(seed: round &* 1_000 &+ UInt64(stop))
            let life = CrashLife(disk: disk, seed: round)
            disk.stop(afterCalls: stop)
            life.run()
            disk.restart(losing: loss)
            count += 1
            if let flaw = judge(life, disk, recoveryCalls: (stop + 5 * Int(round % 1_000)) % 14) {
                problem = "round \(round), \(loss), stopped before call \(stop) of \(whole.calls.count): \(flaw)"
            }
        }
    }

    /// Recovers, lets the power fail in the middle of that, recovers again, and once more after another failure.
    private func judge(_ life: CrashLife, _ disk: SimulatedFileSystem, recoveryCalls: Int) -> String? {
        do {
            disk.stop(afterCalls: recoveryCalls)
            _ = try? LogDriver(disk: disk)
            disk.restart(losing: .random)
            let first = try LogDriver(disk: disk)
            let blocks = try first.readAll()
            if let problem = life.problem(with: first.log, blocks: blocks) { return problem }
            let terms = first.log.termStarts
            disk.restart(losing: .everythingUnflushed)
            let second = try LogDriver(disk: disk)
            guard try second.readAll() == blocks, second.log.termStarts.elementsEqual(terms, by: ==) else {
                return "the second recovery finds another log"
            }
            return second.log.recovery.tornTail == nil ? nil : "the second recovery cuts again"
        } catch {
            return "\(error)"
        }
    }
}
