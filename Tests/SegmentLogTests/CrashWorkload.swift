import Basics
import NIOCore

@testable import SegmentLog

/// A short life of a log, and what may be left of it at each moment.
///
/// Knows every version of the log (a truncation begins a new one, whose number is the token of its appends) and what
/// was reported, so that it can judge whatever a recovery finds.
final class CrashWorkload {
    let disk: SimulatedFileSystem
    private var versions: [[Block]] = [[]]
    /// Of the newest version that was reported: its number, and how far it was reported as flushed.
    private var reported = LogFixture.Flushed(token: 0, through: .zero)
    /// Where the versions after the reported one were cut off from it.
    private var lowestCut = LogIndex(.max)
    private var savedTerm: UInt64 = 0
    private var askedTerm: UInt64 = 0
    private var reclaimed = LogIndex(1)

    init(disk: SimulatedFileSystem) { self.disk = disk }

    /// Lives until the disk stops.
    func run(_ configure: (inout SegmentLogOptions) -> Void) {
        guard let fixture = try? LogFixture(disk: disk, configure) else { return }
        fixture.log.onFlushed = { token, through in self.note(.init(token: token, through: through)) }
        saveTerm(1, fixture)
        for number in 0 ..< 24 {
            append(fixture, count: number % 3 + 1, bytes: 40 + number * 29 % 700, term: 1)
            if number % 4 == 3 { fixture.settle() }
            if number == 9 { saveTerm(2, fixture) }
        }
        cut(fixture, last: 2)
        append(fixture, count: 2, bytes: 300, term: 2)
        fixture.settle()
        for number in 0 ..< 12 { append(fixture, count: 1, bytes: 100 + number * 60, term: 2) }
        fixture.settle()
        // Deep: drops whole segments and opens a sealed one again.
        cut(fixture, last: 10)
        for number in 0 ..< 9 {
            append(fixture, count: 1, bytes: 350 + number, term: 3)
            if number % 2 == 0 { fixture.settle() }
        }
        reclaim(fixture, keeping: 12)
        for number in 0 ..< 20 {
            append(fixture, count: 1, bytes: 350 + number, term: 3)
            if number % 3 == 0 { fixture.settle() }
        }
        saveTerm(4, fixture)
        fixture.close()
    }

    private func note(_ report: LogFixture.Flushed) {
        if report.token != reported.token { lowestCut = LogIndex(.max) }
        reported = report
    }

    private func append(_ fixture: LogFixture, count: Int, bytes: Int, term: UInt64) {
        // A poisoned log has nothing more to tell.
        guard fixture.log.failure == nil else { return }
        let token = UInt64(versions.count - 1)
        versions[versions.count - 1].append(
            fixture.append(count: count, payloadBytes: bytes, term: term, token: token))
    }

    private func cut(_ fixture: LogFixture, last count: UInt64) {
        guard fixture.log.failure == nil else { return }
        fixture.log.truncate(from: LogIndex(fixture.log.lastIndex.rawValue + 1 - count))
        lowestCut = min(lowestCut, fixture.log.lastIndex.next)
        versions.append(versions[versions.count - 1].filter { $0.last <= fixture.log.lastIndex })
    }

    private func saveTerm(_ term: UInt64, _ fixture: LogFixture) {
        if fixture.log.failure == nil { askedTerm = term }
        fixture.log.saveHardState(HardStateRecord(term: term, vote: 7)) { self.savedTerm = term }
    }

    private func reclaim(_ fixture: LogFixture, keeping count: UInt64) {
        guard fixture.log.failure == nil else { return }
        fixture.log.reclaim(below: LogIndex(fixture.log.lastIndex.rawValue - count))
        reclaimed = fixture.log.firstIndex
    }

    // MARK: Judgement

    /// What is wrong with a log that recovery made of this life's remains; nil if nothing is.
    func problem(with log: SegmentLog, blocks: [Block]) -> String? {
        guard log.firstIndex <= reclaimed else { return "front is missing: \(log.firstIndex)" }
        guard log.hardState.term >= savedTerm, log.hardState.term <= askedTerm else {
            return "term \(log.hardState.term), saved \(savedTerm)"
        }
        let mustReach = min(reported.through, lowestCut.previous)
        guard log.lastIndex >= mustReach else { return "ends at \(log.lastIndex), reported \(mustReach)" }
        let isVersion = versions[Int(reported.token)...].contains { version in
            let kept = version.filter { $0.base >= log.firstIndex }
            return blocks.count <= kept.count && Array(kept.prefix(blocks.count)) == blocks
        }
        return isVersion ? nil : "is no prefix of any version"
    }
}
