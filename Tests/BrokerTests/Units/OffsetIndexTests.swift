import Basics
import Testing

@testable import Broker

@Suite struct OffsetIndexTests {
    private static let span = OffsetIndex.spanBytesMax

    @Test func `an empty index knows no offset and no time`() {
        let index = OffsetIndex()
        #expect(index.runs.position(of: .zero) == nil)
        #expect(index.maxTimestamp == nil)
        #expect(index.sealed.newest == nil)
    }

    @Test func `batches close together share a run, whatever lies between them in the log`() {
        var index = OffsetIndex()
        index.append(offset: Offset(0), index: LogIndex(5), position: 0, timestamp: 10)
        index.append(offset: Offset(3), index: LogIndex(9), position: Self.span - 1, timestamp: 7)
        #expect(index.runs.count == 1)
        #expect(index.runs[0].firstOffset == Offset(0))
        #expect(index.runs[0].firstIndex == LogIndex(5))
        #expect(index.runs[0].lastIndex == LogIndex(9))
        #expect(index.runs[0].maxTimestamp == 10)
    }

    @Test func `a run reaches over a bounded part of the log`() {
        var index = OffsetIndex()
        index.append(offset: Offset(0), index: LogIndex(1), position: 0, timestamp: 1)
        index.append(offset: Offset(1), index: LogIndex(2), position: Self.span, timestamp: 2)
        #expect(index.runs.map(\.firstIndex) == [LogIndex(1), LogIndex(2)])
    }

    @Test func `a refused entry ends a run`() {
        var index = OffsetIndex()
        index.append(offset: Offset(0), index: LogIndex(1), position: 0, timestamp: 1)
        index.closeRun()
        index.append(offset: Offset(1), index: LogIndex(3), position: 10, timestamp: 1)
        #expect(index.runs.count == 2)
    }

    @Test func `the rest of a run begins at a batch in it, and is all of the run for a place before it`() {
        let run = OffsetIndex.Run(
            firstOffset: Offset(7), firstIndex: LogIndex(10), lastIndex: LogIndex(20), maxTimestamp: 3)
        let rest = run.rest(from: Offset(9), at: LogIndex(15))
        #expect(rest.firstOffset == Offset(9))
        #expect(rest.firstIndex == LogIndex(15))
        #expect(rest.lastIndex == LogIndex(20))
        #expect(rest.maxTimestamp == 3)
        #expect(run.rest(from: Offset(7), at: LogIndex(4)) == run)
    }

    @Test func `an offset is found in the last run that begins at or before it`() {
        var index = OffsetIndex()
        for number in 0..<10 {
            index.append(
                offset: Offset(Int64(number * 10 + 5)), index: LogIndex(UInt64(number + 1)),
                position: number * Self.span, timestamp: 0)
        }
        #expect(index.runs.position(of: Offset(4)) == nil)
        #expect(index.runs.position(of: Offset(5)) == 0)
        #expect(index.runs.position(of: Offset(14)) == 0)
        #expect(index.runs.position(of: Offset(15)) == 1)
        #expect(index.runs.position(of: Offset(1_000)) == 9)
    }

    @Test func `a sealed segment's runs move to its table, and what follows begins a run of its own`() throws {
        var index = OffsetIndex()
        let key = PartitionKey(TopicNumber(1), 2)
        index.append(offset: Offset(0), index: LogIndex(1), position: 0, timestamp: 30)
        index.append(offset: Offset(5), index: LogIndex(2), position: Self.span, timestamp: 10)
        var table = OffsetTable(segment: LogIndex(1))
        let runs = index.runs
        index.seal(into: &table, key: key, endOffset: Offset(9))
        #expect(index.runs.isEmpty)
        let partition = try #require(table[key])
        #expect(Array(table.runs[partition.runs]) == runs)
        #expect(partition.endOffset == Offset(9))
        #expect(partition.previous == nil && partition.jump == nil)
        #expect(
            index.sealed.newest
                == SegmentChain.Link(segment: LogIndex(1), firstOffset: Offset(0), maxTimestamp: 30))
        index.append(offset: Offset(9), index: LogIndex(3), position: Self.span + 1, timestamp: 20)
        #expect(index.runs.map(\.firstIndex) == [LogIndex(3)])
    }
}
