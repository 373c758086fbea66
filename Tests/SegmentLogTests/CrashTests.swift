import Basics
import NIOCore
import Testing

@testable import SegmentLog

/// The machine stops at every call that changes the disk, in turn.
@Suite struct CrashTests {
    @Test(arguments: [SimulatedFileSystem.Loss.nothing, .everythingUnflushed])
    func whereverItStopsRecoveryKeepsWhatWasReported(_ loss: SimulatedFileSystem.Loss) throws {
        try enumerate(losing: loss, seed: 0, every: 1)
    }

    @Test(arguments: 1 ... 4 as ClosedRange<UInt64>)
    func wheneverTheDiskLosesSectorsByChanceRecoveryKeepsWhatWasReported(seed: UInt64) throws {
        try enumerate(losing: .random, seed: seed, every: 2)
    }

    private func enumerate(losing loss: SimulatedFileSystem.Loss, seed: UInt64, every step: Int) throws {
        let whole = SimulatedFileSystem()
        CrashWorkload(disk: whole).run { _ in }
        let calls = whole.calls.count
        #expect(calls > 100)
        for stop in stride(from: Int(seed) % step, through: calls, by: step) {
            let disk = SimulatedFileSystem(seed: seed &* 1_000 &+ UInt64(stop))
            let workload = CrashWorkload(disk: disk)
            disk.stop(afterCalls: stop)
            workload.run { _ in }
            disk.restart(losing: loss)
            try judge(workload, disk, "stopped at call \(stop): \(whole.calls.dropFirst(stop).first as Any)")
        }
    }

    /// Recovers, lets the power fail in the middle of that once, recovers again, and once more.
    private func judge(_ workload: CrashWorkload, _ disk: SimulatedFileSystem, _ place: String) throws {
        do {
            disk.stop(afterCalls: 3)
            _ = try? LogFixture(disk: disk)
            disk.restart(losing: .random)
            let first = try LogFixture(disk: disk)
            let blocks = try first.readAll()
            let problem = workload.problem(with: first.log, blocks: blocks)
            #expect(problem == nil, "\(place)")
            let terms = first.log.termStarts.map(\.1)
            disk.restart(losing: .everythingUnflushed)
            let second = try LogFixture(disk: disk)
            #expect(try second.readAll() == blocks, "\(place)")
            #expect(second.log.termStarts.map(\.1) == terms, "\(place)")
            #expect(second.log.recovery.tornTail == nil, "\(place)")
        } catch {
            Issue.record("\(place): \(error)")
        }
    }
}
