import Basics
import Testing

@testable import RaftCore

@Suite struct LogViewTests {
    private func block(_ base: UInt64, _ count: Int, term: UInt64, bytes: Int = 100) -> BlockInfo {
        BlockInfo(base: LogIndex(base), count: count, term: Term(term), bytes: bytes)
    }

    private func index(_ value: UInt64) -> LogIndex { LogIndex(value) }

    private func flush(
        _ log: inout LogView, _ through: UInt64, epoch: StorageEpoch, isNews: Bool,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let result = log.flush(through: index(through), epoch: epoch)
        #expect(result == isNews, sourceLocation: sourceLocation)
    }

    /// Terms 1 (1-3), 2 (4-8), 5 (9-10), recovered.
    private func recovered(tailBytesMax: Int = 1_000) -> LogView {
        LogView(
            RecoveredLog(
                lastIndex: index(10),
                termStarts: [
                    .init(index: index(1), term: Term(1)), .init(index: index(4), term: Term(2)),
                    .init(index: index(9), term: Term(5)),
                ]),
            tailBytesMax: tailBytesMax)
    }

    @Test("an empty log has term 0 at index 0 and nothing else")
    func empty() {
        let log = LogView(RecoveredLog(), tailBytesMax: 100)
        #expect(log.term(at: .zero) == .zero)
        #expect(log.term(at: index(1)) == nil)
        #expect(log.lastTerm == .zero)
        #expect(log.tailFirstIndex == index(1))
        #expect(log.lastIndex(atOrBelow: index(5), termAtMost: Term(9)) == .zero)
    }

    @Test("terms are found at and between their starts")
    func terms() {
        let log = recovered()
        let terms = (0...11).map { log.term(at: index($0))?.rawValue }
        #expect(terms == [0, 1, 1, 1, 2, 2, 2, 2, 2, 5, 5, nil])
        #expect(log.lastTerm == Term(5))
    }

    @Test("below a reclaimed front no term is known")
    func reclaimedFront() {
        let log = LogView(
            RecoveredLog(
                firstIndex: index(6), lastIndex: index(9), termStarts: [.init(index: index(4), term: Term(2))]),
            tailBytesMax: 100)
        #expect(log.term(at: index(5)) == nil)
        #expect(log.term(at: index(6)) == Term(2))
        #expect(log.lastIndex(atOrBelow: index(9), termAtMost: Term(1)) == index(3))
    }

    @Test("the back-up skips whole terms")
    func backUp() {
        let log = recovered()
        #expect(log.lastIndex(atOrBelow: index(20), termAtMost: Term(9)) == index(10))
        #expect(log.lastIndex(atOrBelow: index(10), termAtMost: Term(4)) == index(8))
        #expect(log.lastIndex(atOrBelow: index(10), termAtMost: Term(1)) == index(3))
        #expect(log.lastIndex(atOrBelow: index(6), termAtMost: Term(2)) == index(6))
        #expect(log.lastIndex(atOrBelow: index(10), termAtMost: .zero) == .zero)
    }

    @Test("the back-up finds what a linear search finds")
    func backUpAgainstSearch() {
        let log = recovered()
        for from in 0...12 as ClosedRange<UInt64> {
            for term in 0...6 as ClosedRange<UInt64> {
                let naive = (0...min(from, 10)).last { log.term(at: index($0))! <= Term(term) }!
                #expect(log.lastIndex(atOrBelow: index(from), termAtMost: Term(term)) == index(naive))
            }
        }
    }

    @Test("recovered entries are flushed and not in the tail; appended ones are in it and not flushed")
    func append() {
        var log = recovered()
        #expect(log.flushedIndex == index(10))
        #expect(log.tailFirstIndex == index(11))
        log.append([block(11, 2, term: 5), block(13, 1, term: 6)], now: .zero)
        #expect(log.lastIndex == index(13))
        #expect(log.flushedIndex == index(10))
        #expect(log.tailFirstIndex == index(11))
        #expect(log.term(at: index(12)) == Term(5))
        #expect(log.lastTerm == Term(6))
    }

    @Test("tail blocks are whole, begin with the one that holds the index, and respect the limit but for the first")
    func tailBlocks() {
        var log = recovered()
        log.append((0..<4).map { block(11 + $0 * 10, 10, term: 5) }, now: .zero)
        let bases = { (from: UInt64, bytes: Int) in
            log.tailBlocks(from: LogIndex(from), maxBytes: bytes).map(\.base.rawValue)
        }
        #expect(bases(11, 200) == [11, 21])
        #expect(bases(20, 200) == [11, 21])
        #expect(bases(21, 299) == [21, 31])
        #expect(bases(50, 0) == [41])
        #expect(bases(11, 10_000) == [11, 21, 31, 41])
    }

    @Test("the tail lets go of the oldest flushed blocks beyond its bound, and of no unflushed one")
    func eviction() {
        var log = recovered(tailBytesMax: 250)
        log.append((0..<5).map { block(11 + $0, 1, term: 5) }, now: .zero)
        #expect(log.tailFirstIndex == index(11))
        flush(&log, 12, epoch: 0, isNews: true)
        #expect(log.tailFirstIndex == index(13))
        flush(&log, 15, epoch: 0, isNews: true)
        #expect(log.tailFirstIndex == index(14))
        // The newest stays, whatever its size.
        log.append([block(16, 1, term: 5, bytes: 9_000)], now: .zero)
        flush(&log, 16, epoch: 0, isNews: true)
        #expect(log.tailFirstIndex == index(16))
    }

    @Test("a cut takes back terms, tail, and flushed index, and begins a storage epoch")
    func truncate() {
        var log = recovered()
        log.append([block(11, 2, term: 6), block(13, 1, term: 7)], now: .zero)
        flush(&log, 13, epoch: 0, isNews: true)
        log.truncate(from: index(13))
        #expect(log.lastIndex == index(12))
        #expect(log.lastTerm == Term(6))
        #expect(log.flushedIndex == index(12))
        #expect(log.storageEpoch == 1)
        log.truncate(from: index(5))
        #expect(log.lastIndex == index(4))
        #expect(log.lastTerm == Term(2))
        #expect(log.tailFirstIndex == index(5))
        #expect(log.flushedIndex == index(4))
        #expect(log.storageEpoch == 2)
        log.append([block(5, 3, term: 8)], now: .zero)
        #expect(log.term(at: index(7)) == Term(8))
    }

    @Test("the news of a flush counts once, and only in its storage epoch")
    func flushEpochs() {
        var log = recovered()
        log.append([block(11, 2, term: 6)], now: .zero)
        log.truncate(from: index(11))
        log.append([block(11, 3, term: 7)], now: .zero)
        flush(&log, 12, epoch: 0, isNews: false)
        #expect(log.flushedIndex == index(10))
        flush(&log, 13, epoch: 1, isNews: true)
        flush(&log, 13, epoch: 1, isNews: false)
    }

    @Test("the age of the oldest unflushed append survives partial flushes and cuts")
    func unflushedSince() {
        var log = recovered()
        let time = { (ms: Int64) in Instant.zero + .milliseconds(ms) }
        #expect(log.unflushedSince == nil)
        log.append([block(11, 2, term: 6), block(13, 2, term: 6)], now: time(1))
        log.append([block(15, 1, term: 6)], now: time(2))
        log.append([block(16, 1, term: 6)], now: time(3))
        flush(&log, 12, epoch: 0, isNews: true)
        #expect(log.unflushedSince == time(1))
        log.truncate(from: index(15))
        #expect(log.unflushedSince == time(1))
        flush(&log, 14, epoch: 1, isNews: true)
        #expect(log.unflushedSince == nil)
        log.append([block(15, 1, term: 6), block(16, 1, term: 6)], now: time(9))
        log.truncate(from: index(16))
        #expect(log.unflushedSince == time(9))
        log.truncate(from: index(15))
        #expect(log.unflushedSince == nil)
    }
}
