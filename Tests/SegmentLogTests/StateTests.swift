import Basics
import NIOCore
import Testing

@testable import SegmentLog

@Suite struct StateTests {
    private func save(_ term: UInt64, vote: Int32? = nil, in fixture: LogFixture) {
        fixture.log.saveHardState(HardStateRecord(term: term, vote: vote)) {}
        fixture.settle()
    }

    @Test func termAndVoteSurviveAPowerFailure() throws {
        let fixture = try LogFixture()
        save(3, vote: 2, in: fixture)
        fixture.disk.restart(losing: .everythingUnflushed)
        #expect(try LogFixture(disk: fixture.disk).log.hardState == HardStateRecord(term: 3, vote: 2))
    }

    @Test func aHardStateIsDurableBeforeItsCompletionAndBeforeTheAppendsBehindIt() throws {
        let fixture = try LogFixture()
        fixture.append()
        fixture.settle()
        fixture.disk.clearCalls()
        var completed = 0
        fixture.log.saveHardState(HardStateRecord(term: 2)) { completed += 1 }
        fixture.append(term: 2)
        #expect(completed == 0)
        fixture.settle()
        #expect(completed == 1)
        let calls = fixture.disk.calls.map { "\($0.operation) \($0.name)" }
        let segment = LogLayout.segmentName(LogIndex(1))
        #expect(calls == ["write state", "flush state", "write \(segment)", "flush \(segment)", "write state"])
    }

    @Test func aTornPageLeavesTheOlderState() throws {
        let fixture = try LogFixture()
        save(3, vote: 1, in: fixture)
        save(4, vote: 2, in: fixture)
        fixture.disk.restart(losing: .everythingUnflushed)
        // Saved states alternate between the pages: the first went to page 1, the second to page 0.
        fixture.disk.alter(LogFixture.path("state")) { $0[20] ^= 1 }
        let again = try LogFixture(disk: fixture.disk)
        #expect(again.log.hardState == HardStateRecord(term: 3, vote: 1))
        #expect(again.log.recovery.hasDamagedStatePage)
        save(5, in: again)
        fixture.disk.restart(losing: .everythingUnflushed)
        #expect(try LogFixture(disk: fixture.disk).log.hardState.term == 5)
    }

    @Test func aTornHintIsIgnored() throws {
        let fixture = try LogFixture()
        fixture.append()
        fixture.settle()
        fixture.disk.restart(losing: .nothing)
        fixture.disk.alter(LogFixture.path("state")) { $0[LogState.hintPage * LogState.pageBytes + 33] ^= 1 }
        #expect(try LogFixture(disk: fixture.disk).log.lastIndex == LogIndex(1))
    }

    /// Otherwise the log would look as if entries that were cut off on purpose had been lost.
    @Test func aHintFromBeforeACutDoesNotVouchForWhatWasCutOff() throws {
        let fixture = try LogFixture()
        for _ in 1 ... 4 { fixture.append() }
        fixture.settle()
        fixture.log.truncate(from: LogIndex(3))
        fixture.settle()
        fixture.disk.restart(losing: .nothing)
        #expect(try LogFixture(disk: fixture.disk).log.lastIndex == LogIndex(2))
    }

    @Test func closingVouchesForEverything() throws {
        let fixture = try LogFixture { $0.durability = .page }
        for _ in 1 ... 3 { fixture.append() }
        fixture.close()
        fixture.disk.restart(losing: .everythingUnflushed)
        let file = try fixture.disk.open(LogFixture.path("state"), .read)
        #expect(try LogState.load(file, shard: .metadata).state?.watermark == LogIndex(3))
        #expect(try LogFixture(disk: fixture.disk).log.lastIndex == LogIndex(3))
    }
}
