import Basics
import Testing

@testable import Broker

@Suite struct OffsetTablesTests {
    private static func table(_ segment: UInt64, runs: Int = 10) -> OffsetTable {
        var table = OffsetTable(segment: LogIndex(segment))
        let run = OffsetIndex.Run(
            firstOffset: .zero, firstIndex: LogIndex(segment), lastIndex: LogIndex(segment), maxTimestamp: 0)
        table.append(
            PartitionKey(TopicNumber(1), 0), Array(repeating: run, count: runs), endOffset: Offset(1),
            links: (nil, nil))
        return table
    }

    @Test func `at the bound the table not used for longest goes`() {
        var tables = OffsetTables(bytesMax: 2 * Self.table(1).residentBytes)
        tables.insert(Self.table(1))
        tables.insert(Self.table(2))
        #expect(tables.table(of: LogIndex(1)) != nil)
        tables.insert(Self.table(3))
        #expect(tables.table(of: LogIndex(2)) == nil)
        #expect(tables.table(of: LogIndex(1)) != nil)
        #expect(tables.table(of: LogIndex(3)) != nil)
    }

    @Test func `a table that is not written yet stays, whatever the bound`() {
        var tables = OffsetTables(bytesMax: 0)
        for segment: UInt64 in 1...5 { tables.insertUnwritten(Self.table(segment)) }
        for segment: UInt64 in 1...5 { #expect(tables.table(of: LogIndex(segment)) == Self.table(segment)) }
        for segment: UInt64 in 1...5 { tables.written(LogIndex(segment)) }
        #expect(tables.table(of: LogIndex(1)) == nil)
        #expect(tables.table(of: LogIndex(5)) != nil)
    }

    @Test func `the same table inserted twice counts once`() {
        var tables = OffsetTables(bytesMax: 2 * Self.table(1).residentBytes)
        for _ in 0..<3 { tables.insert(Self.table(1)) }
        tables.insert(Self.table(2))
        #expect(tables.table(of: LogIndex(1)) != nil)
    }
}
