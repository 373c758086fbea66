import Basics
import Testing

@testable import Broker

@Suite struct OffsetIndexTests {
    private static let span = OffsetIndex.spanBytesMax

    @Test func `an empty index knows no offset and no time`() {
        let index = OffsetIndex()
        #expect(index.position(of: .zero) == nil)
        #expect(index.position(ofTimestamp: 0) == nil)
        #expect(index.positionOfMaxTimestamp() == nil)
    }

    @Test func `batches close together share a run, whatever lies between them in the log`() {
        var index = OffsetIndex()
        index.append(offset: Offset(0), index: LogIndex(5), position: 0, timestamp: 10, bytes: 100)
        index.append(offset: Offset(3), index: LogIndex(9), position: Self.span - 1, timestamp: 7, bytes: 100)
        #expect(index.runs.count == 1)
        #expect(index.runs[0].firstOffset == Offset(0))
        #expect(index.runs[0].firstIndex == LogIndex(5))
        #expect(index.runs[0].lastIndex == LogIndex(9))
        #expect(index.runs[0].maxTimestamp == 10)
    }

    @Test func `a run reaches over a bounded part of the log`() {
        var index = OffsetIndex()
        index.append(offset: Offset(0), index: LogIndex(1), position: 0, timestamp: 1, bytes: 100)
        index.append(offset: Offset(1), index: LogIndex(2), position: Self.span, timestamp: 2, bytes: 100)
        #expect(index.runs.map(\.firstIndex) == [LogIndex(1), LogIndex(2)])
    }

    @Test func `a refused entry ends a run`() {
        var index = OffsetIndex()
        index.append(offset: Offset(0), index: LogIndex(1), position: 0, timestamp: 1, bytes: 100)
        index.closeRun()
        index.append(offset: Offset(1), index: LogIndex(3), position: 10, timestamp: 1, bytes: 100)
        #expect(index.runs.count == 2)
    }

    @Test func `an offset is found in the last run that begins at or before it`() {
        var index = OffsetIndex()
        for number in 0..<10 {
            index.append(
                offset: Offset(Int64(number * 10 + 5)), index: LogIndex(UInt64(number + 1)),
                position: number * Self.span, timestamp: 0, bytes: 100)
        }
        #expect(index.position(of: Offset(4)) == nil)
        #expect(index.position(of: Offset(5)) == 0)
        #expect(index.position(of: Offset(14)) == 0)
        #expect(index.position(of: Offset(15)) == 1)
        #expect(index.position(of: Offset(1_000)) == 9)
    }

    @Test func `a time is found in the first run that has it or a later one, however times jump about`() {
        var index = OffsetIndex()
        for (number, timestamp) in [30, 10, 50, 20, 50].enumerated() {
            index.append(
                offset: Offset(Int64(number)), index: LogIndex(UInt64(number + 1)), position: number * Self.span,
                timestamp: Milliseconds(timestamp), bytes: 100)
        }
        #expect(index.position(ofTimestamp: 0) == 0)
        #expect(index.position(ofTimestamp: 30) == 0)
        #expect(index.position(ofTimestamp: 31) == 2)
        #expect(index.position(ofTimestamp: 51) == nil)
        #expect(index.positionOfMaxTimestamp() == 2)
    }

    @Test func `trimming drops the runs that end before the beginning, with their bytes`() {
        var index = OffsetIndex()
        for number in 0..<4 {
            index.append(
                offset: Offset(Int64(number * 10)), index: LogIndex(UInt64(number + 1)),
                position: number * Self.span, timestamp: 0, bytes: 100)
        }
        let end = Offset(40)
        index.trim(before: Offset(9), end: end)
        #expect(index.runs.count == 4)
        index.trim(before: Offset(10), end: end)
        #expect(index.runs.map(\.firstOffset) == [Offset(10), Offset(20), Offset(30)])
        index.trim(before: Offset(35), end: end)
        #expect(index.runs.map(\.firstOffset) == [Offset(30)])
        #expect(index.bytes == 100)
        index.trim(before: end, end: end)
        #expect(index.runs.isEmpty)
        #expect(index.bytes == 0)
    }

    @Test func `after all runs are gone the next batch begins one of its own`() {
        var index = OffsetIndex()
        index.append(offset: Offset(0), index: LogIndex(1), position: 0, timestamp: 5, bytes: 100)
        index.trim(before: Offset(1), end: Offset(1))
        index.append(offset: Offset(1), index: LogIndex(2), position: 100, timestamp: 3, bytes: 60)
        #expect(index.runs == [
            .init(
                firstOffset: Offset(1), firstIndex: LogIndex(2), lastIndex: LogIndex(2), maxTimestamp: 3, bytes: 60)
        ])
        #expect(index.bytes == 60)
    }

    @Test func `a time is looked for from any run on`() {
        var index = OffsetIndex()
        for (number, timestamp) in [30, 10, 50, 20].enumerated() {
            index.append(
                offset: Offset(Int64(number)), index: LogIndex(UInt64(number + 1)), position: number * Self.span,
                timestamp: Milliseconds(timestamp), bytes: 1)
        }
        #expect(index.position(ofTimestamp: 5, from: 1) == 1)
        #expect(index.position(ofTimestamp: 15, from: 2) == 2)
        #expect(index.position(ofTimestamp: 30, from: 3) == nil)
        #expect(index.positionOfMaxTimestamp(from: 3) == 3)
        #expect(index.positionOfMaxTimestamp(from: 4) == nil)
    }
}
