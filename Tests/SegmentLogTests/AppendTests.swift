import Basics
import NIOCore
import NIOEmbedded
import Testing

@testable import SegmentLog

@Suite struct AppendTests {
    @Test func appendsQueuedWhileTheWriterIsBusyBecomeOneWriteOneFlushAndOneReport() throws {
        let fixture = try LogFixture()
        fixture.append(token: 1)
        fixture.settle()
        fixture.disk.clearCalls()
        for token in 2 ... 6 { fixture.append(token: UInt64(token)) }
        #expect(fixture.writer.pending == 1)
        fixture.settle()
        let calls = fixture.disk.calls.filter { $0.name.hasSuffix(".log") }
        #expect(calls.map(\.operation) == [.write, .flush])
        #expect(fixture.flushed == [.init(token: 1, through: LogIndex(1)), .init(token: 6, through: LogIndex(6))])
    }

    @Test func aLogOpenedAgainHoldsTheSameBlocks() throws {
        let fixture = try LogFixture()
        var blocks: [Block] = []
        for count in 1 ... 40 { blocks.append(fixture.append(count: count % 4 + 1)) }
        fixture.settle()
        fixture.close()
        fixture.disk.restart(losing: .everythingUnflushed)
        let again = try LogFixture(disk: fixture.disk)
        #expect(again.log.lastIndex == blocks.last?.last)
        #expect(try again.readAll() == blocks)
        #expect(again.log.recovery.segments > 1)
    }

    @Test func aGroupIsAtMostFourMebibytes() throws {
        let fixture = try LogFixture { $0.segmentBytes = 64.mebibytes; $0.preallocate = false }
        for token in 1 ... 6 { fixture.append(payloadBytes: 1.mebibytes, token: UInt64(token)) }
        fixture.settle()
        #expect(fixture.flushed.map(\.through.rawValue) == [3, 6])
    }

    @Test func atPageDurabilityAppendsAreReportedWithoutAFlush() throws {
        let fixture = try LogFixture { $0.durability = .page }
        fixture.append()
        fixture.settle()
        fixture.disk.clearCalls()
        fixture.append(token: 5)
        fixture.settle()
        #expect(fixture.flushed.last == .init(token: 5, through: LogIndex(2)))
        #expect(!fixture.disk.calls.contains { $0.operation == .flush })
    }

    @Test func nothingIsReportedBeforeTheWriterIsDone() throws {
        let fixture = try LogFixture()
        fixture.append()
        fixture.loop.run()
        #expect(fixture.flushed.isEmpty && fixture.log.flushedIndex == .zero)
        #expect(fixture.log.lastIndex == LogIndex(1))
        fixture.settle()
        #expect(fixture.log.flushedIndex == LogIndex(1))
    }
}
