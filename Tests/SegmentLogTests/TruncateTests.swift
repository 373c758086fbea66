import Basics
import NIOCore
import NIOEmbedded
import Testing

@testable import SegmentLog

@Suite struct TruncateTests {
    @Test func aCutTakesWholeBlocksAndTheLogContinuesThere() throws {
        let fixture = try LogFixture()
        for term in 1 ... 4 as ClosedRange<UInt64> { fixture.append(count: 3, term: term) }
        fixture.settle()
        fixture.log.truncate(from: LogIndex(8))
        #expect(fixture.log.lastIndex == LogIndex(6) && fixture.log.lastTerm == Term(2))
        let replacement = fixture.append(count: 1, term: 9)
        fixture.settle()
        #expect(replacement.base == LogIndex(7))
        #expect(fixture.log.termStarts.map(\.0.rawValue) == [1, 4, 7])
        let blocks = try fixture.readAll()
        fixture.disk.restart(losing: .everythingUnflushed)
        #expect(try LogFixture(disk: fixture.disk).readAll() == blocks)
    }

    @Test func aReportFromBeforeTheCutKeepsItsTokenAndMovesNothingBehindTheCut() throws {
        let fixture = try LogFixture()
        for _ in 1 ... 3 { fixture.append(token: 1) }
        // The disk is done, but the loop has not heard of it when the cut comes.
        fixture.writer.runAll()
        fixture.log.truncate(from: LogIndex(2))
        fixture.append(term: 2, token: 2)
        fixture.loop.run()
        #expect(fixture.flushed == [.init(token: 1, through: LogIndex(3))])
        #expect(fixture.log.flushedIndex == .zero)
        fixture.log.evict(below: LogIndex(.max))
        #expect(fixture.log.block(containing: LogIndex(2)) != nil, "an unflushed block may not be evicted")
        fixture.settle()
        #expect(fixture.flushed.last == .init(token: 2, through: LogIndex(2)))
        #expect(fixture.log.flushedIndex == LogIndex(2))
    }

    @Test func aCutOverSeveralSegmentsOpensASealedOneAgain() throws {
        let fixture = try LogFixture { $0.tableBytesMax = 0 }
        while fixture.segments.count < 5 { fixture.append(payloadBytes: 300) }
        fixture.settle()
        fixture.log.evict(below: LogIndex(.max))
        let second = fixture.segments[1]
        fixture.log.truncate(from: second.last)
        #expect(fixture.log.index.active?.base == second.base)
        for _ in 0 ..< 20 { fixture.append(payloadBytes: 300, term: 2) }
        fixture.settle()
        let blocks = try fixture.readAll()
        #expect(blocks.first { $0.term == Term(2) }?.base == second.last)
        fixture.disk.restart(losing: .everythingUnflushed)
        let again = try LogFixture(disk: fixture.disk)
        #expect(try again.readAll() == blocks)
    }

    @Test func aCutAtASegmentsFirstEntryRemovesTheSegment() throws {
        let fixture = try LogFixture()
        while fixture.segments.count < 3 { fixture.append(payloadBytes: 300) }
        fixture.settle()
        let third = fixture.segments[2]
        fixture.log.truncate(from: third.base)
        fixture.settle()
        #expect(fixture.disk.content(LogFixture.segmentPath(third.base.rawValue)) == nil)
        #expect(fixture.log.lastIndex == third.base.previous)
        let blocks = try fixture.readAll()
        fixture.disk.restart(losing: .everythingUnflushed)
        #expect(try LogFixture(disk: fixture.disk).readAll() == blocks)
    }

    @Test func aLogCutToNothingIsEmptyAndBeginsAgain() throws {
        let fixture = try LogFixture()
        for _ in 1 ... 5 { fixture.append() }
        fixture.settle()
        fixture.log.truncate(from: LogIndex(1))
        fixture.settle()
        #expect(fixture.log.lastIndex == .zero && fixture.log.firstIndex == LogIndex(1))
        fixture.disk.restart(losing: .everythingUnflushed)
        let again = try LogFixture(disk: fixture.disk)
        #expect(again.log.lastIndex == .zero)
        let block = again.append(term: 3)
        again.settle()
        #expect(try again.readAll() == [block])
    }

    /// Leftovers of the cut-off suffix lie where the new one ends, and would chain to it but for the durable cut.
    @Test func whatWasCutOffIsNeverFoundBehindABlockOfTheSameSize() throws {
        let fixture = try LogFixture()
        for term in [1, 1, 3, 3] as [UInt64] { fixture.append(payloadBytes: 100, term: term) }
        fixture.settle()
        fixture.log.truncate(from: LogIndex(3))
        fixture.append(payloadBytes: 100, term: 2)
        fixture.settle()
        fixture.disk.restart(losing: .everythingUnflushed)
        let again = try LogFixture(disk: fixture.disk)
        #expect(again.log.lastIndex == LogIndex(3) && again.log.lastTerm == Term(2))
    }

    @Test func theCutIsDurableBeforeAnythingIsWrittenBehindIt() throws {
        let fixture = try LogFixture()
        for _ in 1 ... 3 { fixture.append() }
        fixture.settle()
        fixture.disk.clearCalls()
        fixture.log.truncate(from: LogIndex(2))
        fixture.append(term: 2)
        fixture.settle()
        let calls = fixture.disk.calls.filter {
            $0.name == LogLayout.segmentName(LogIndex(1)) && $0.operation != .allocate
        }
        #expect(calls.map(\.operation).suffix(4) == [.truncate, .flush, .write, .flush])
    }
}
