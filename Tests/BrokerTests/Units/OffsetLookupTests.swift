import Basics
import NIOCore
import Testing

@testable import Broker

/// Lookups through the tables of sealed segments, against a list of everything.
@Suite struct OffsetLookupTests {
    /// A partition with a run for every ten offsets, in segments of various lengths.
    private struct History {
        let key = PartitionKey(TopicNumber(3), 4)
        var index = OffsetIndex()
        var tables: [LogIndex: OffsetTable] = [:]
        var all: [OffsetIndex.Run] = []
        var nextOffset = Offset.zero
        private var lastIndex = LogIndex.zero

        init(segments: Int, seed: UInt64) {
            var random = RandomSource(seed: seed)
            for segment in 0...segments {
                let base = lastIndex.next
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    // As a producer's clock goes: mostly forward, sometimes back.
                    append(timestamp: Int64(all.count) * 10 + Int64.random(in: -200...200, using: &random))
                }
                guard segment < segments else { break }
                var table = OffsetTable(segment: base)
                index.seal(into: &table, key: key, endOffset: nextOffset)
                tables[base] = table
            }
        }

        private mutating func append(timestamp: Milliseconds) {
            lastIndex = lastIndex.next
            index.append(
                offset: nextOffset, index: lastIndex, position: all.count * OffsetIndex.spanBytesMax,
                timestamp: timestamp)
            all.append(
                OffsetIndex.Run(
                    firstOffset: nextOffset, firstIndex: lastIndex, lastIndex: lastIndex, maxTimestamp: timestamp))
            nextOffset = nextOffset + 10
        }

        func lookup(_ table: @escaping (LogIndex) -> OffsetTable?) -> OffsetLookup {
            OffsetLookup(key, index, nextOffset: nextOffset, table: table)
        }
    }

    @Test(arguments: 0..<20 as Range<UInt64>) func `every offset is found in its run, however old`(
        seed: UInt64
    ) throws {
        let history = History(segments: Int(seed) * 7, seed: seed)
        var lookup = history.lookup { history.tables[$0] }
        for run in history.all {
            for offset in [run.firstOffset, run.firstOffset + 9] {
                guard case .found(let stretch) = lookup.stretch(from: offset) else {
                    Issue.record("offset \(offset) is not found")
                    continue
                }
                #expect(stretch.runs.first == run)
                #expect(stretch.endOffset > offset)
            }
        }
        guard case .none = lookup.stretch(from: history.nextOffset) else {
            Issue.record("the end is not behind everything")
            return
        }
    }

    @Test func `stretches follow each other without a gap from the first offset to the end`() throws {
        let history = History(segments: 40, seed: 1)
        var lookup = history.lookup { history.tables[$0] }
        var runs: [OffsetIndex.Run] = []
        var next = Offset.zero
        while case .found(let stretch) = lookup.stretch(from: next) {
            runs += stretch.runs
            next = stretch.endOffset
        }
        #expect(runs == history.all)
        #expect(next == history.nextOffset)
    }

    @Test(arguments: 0..<20 as Range<UInt64>) func `nothing before the lower bound of a time is new enough`(
        seed: UInt64
    ) throws {
        let history = History(segments: Int(seed) * 7, seed: seed)
        var lookup = history.lookup { history.tables[$0] }
        for timestamp in stride(from: Int64(-300), through: Int64(history.all.count) * 10 + 300, by: 37) {
            guard case .found(let bound) = lookup.lowerBound(of: timestamp) else {
                Issue.record("no bound for \(timestamp)")
                continue
            }
            let first = history.all.first { $0.maxTimestamp >= timestamp }
            #expect(bound <= first?.firstOffset ?? history.nextOffset)
            // And it is in the right segment: the search goes on from there within one stretch.
            if let first, case .found(let stretch) = lookup.stretch(from: bound) {
                #expect(stretch.runs.contains(first))
            }
        }
    }

    @Test func `among ten thousand segments a few tables are enough`() {
        let history = History(segments: 10_000, seed: 5)
        var read: Set<LogIndex> = []
        for offset in [Offset(0), Offset(50_000), history.all[history.all.count / 3].firstOffset] {
            read = []
            var lookup = history.lookup { segment in
                read.insert(segment)
                return history.tables[segment]
            }
            guard case .found = lookup.stretch(from: offset) else {
                Issue.record("offset \(offset) is not found")
                return
            }
            // Myers: at most 3 log2(n + 1) - 2.
            #expect(read.count <= 37)
        }
        #expect(history.index.sealed.links.count <= 28)
    }

    @Test func `what is not in memory is asked for, and one table at a time is enough`() {
        let history = History(segments: 100, seed: 2)
        var inMemory: LogIndex?
        var asked = 0
        var lookup = history.lookup { $0 == inMemory ? history.tables[$0] : nil }
        while true {
            switch lookup.stretch(from: Offset(3)) {
            case .found(let stretch):
                #expect(stretch.runs.first == history.all.first)
                #expect((1...18).contains(asked))
                inMemory = nil
                // What was found is kept.
                guard case .found = lookup.stretch(from: Offset(4)) else {
                    Issue.record("asked again")
                    return
                }
                return
            case .needs(.offsets(let segment)):
                inMemory = segment
                asked += 1
            case .needs(.block), .none:
                Issue.record("not what was asked for")
                return
            }
        }
    }

    @Test func `a table is the same after a trip through its bytes`() throws {
        let history = History(segments: 30, seed: 3)
        for table in history.tables.values {
            #expect(OffsetTable(table.encoded(), of: table.segment) == table)
        }
    }

    @Test func `a table's bytes are those of the format`() throws {
        var index = OffsetIndex()
        var first = OffsetTable(segment: LogIndex(1)), second = OffsetTable(segment: LogIndex(9))
        let key = PartitionKey(TopicNumber(2), 1)
        index.append(offset: Offset(0), index: LogIndex(3), position: 0, timestamp: 7)
        index.seal(into: &first, key: key, endOffset: Offset(5))
        index.append(offset: Offset(5), index: LogIndex(9), position: 0, timestamp: 6)
        index.seal(into: &second, key: key, endOffset: Offset(6))
        let words: [UInt64] = [
            0x0000_0001_0000_0001, 0x0000_0002_0000_0001, 6, 0x0000_0001_0000_0000, 1, 0, 7, 1, 0, 7, 5, 9, 9, 6,
        ]
        var expected = ByteBuffer()
        for word in words { expected.writeInteger(word, endianness: .little) }
        #expect(second.encoded() == expected)
    }

    @Test(arguments: 0..<200 as Range<UInt64>) func `other bytes are no table, whatever they say`(seed: UInt64) {
        let history = History(segments: 3, seed: seed)
        var random = RandomSource(seed: seed)
        guard let table = history.tables[LogIndex(1)] else {
            Issue.record("no first segment")
            return
        }
        var bytes = table.encoded()
        let cut = Int.random(in: 0..<bytes.readableBytes, using: &random)
        #expect(OffsetTable(bytes.getSlice(at: 0, length: cut) ?? bytes, of: LogIndex(1)) == nil)
        bytes.setInteger(UInt8.random(in: 1...255, using: &random), at: Int.random(in: 0..<8, using: &random))
        // Whatever it makes of it, it does not crash and refers to no run it does not have.
        if let other = OffsetTable(bytes, of: LogIndex(1)) {
            #expect(other.partitions.allSatisfy { $0.runs.upperBound <= other.runs.count })
        }
    }
}
