import Basics
import NIOCore
import NIOEmbedded
import RaftCore
import SegmentLog
import Testing

@testable import Raft

/// What every `LogStore` promises, checked on the one in memory.
@Suite struct LogStoreTests {
    private func logs(_ range: ClosedRange<UInt64>, term: UInt64 = 1) -> [Log] {
        range.map { Log(index: LogIndex($0), term: Term(term), type: .command, payload: ByteBuffer(string: "\($0)")) }
    }

    private func store(_ range: ClosedRange<UInt64>) throws -> InMemoryLogStore {
        let store = InMemoryLogStore()
        try store.storeLogs(logs(range))
        return store
    }

    private func bounds(_ store: any LogStore) -> [UInt64] { [store.firstIndex.rawValue, store.lastIndex.rawValue] }

    @Test func `an empty store has first and last index 0`() {
        let store = InMemoryLogStore()
        #expect(bounds(store) == [0, 0])
        #expect(throws: LogStoreError.notFound(LogIndex(1))) { try store.log(at: LogIndex(1)) }
    }

    @Test func `entries are found by their index, others are not`() throws {
        let store = try store(5...9)
        #expect(bounds(store) == [5, 9])
        #expect(try store.log(at: LogIndex(7)) == logs(7...7)[0])
        for index in [0, 4, 10] as [UInt64] {
            #expect(throws: LogStoreError.notFound(LogIndex(index))) { try store.log(at: LogIndex(index)) }
        }
    }

    @Test func `a gap is refused and nothing of it kept`() throws {
        let store = try store(1...3)
        #expect(throws: LogStoreError.gap(expected: LogIndex(4), found: LogIndex(5))) {
            try store.storeLog(logs(5...5)[0])
        }
        #expect(throws: LogStoreError.gap(expected: LogIndex(4), found: LogIndex(3))) {
            try store.storeLog(logs(3...3)[0])
        }
        #expect(throws: LogStoreError.gap(expected: LogIndex(5), found: LogIndex(6))) {
            try store.storeLogs(logs(4...4) + logs(6...6))
        }
        #expect(bounds(store) == [1, 3])
    }

    @Test func `a range is deleted with both its ends, from the front or from the back`() throws {
        let front = try store(1...9)
        try front.deleteRange(LogIndex(1), LogIndex(4))
        #expect(bounds(front) == [5, 9])
        #expect(try front.log(at: LogIndex(5)) == logs(5...5)[0])
        let back = try store(1...9)
        try back.deleteRange(LogIndex(5), LogIndex(9))
        #expect(bounds(back) == [1, 4])
        try back.storeLogs(logs(5...6, term: 2))
        #expect(try back.log(at: LogIndex(5)).term == Term(2))
    }

    @Test func `everything may be deleted, and the next entry may begin anywhere`() throws {
        let store = try store(3...5)
        try store.deleteRange(LogIndex(1), LogIndex(100))
        #expect(bounds(store) == [0, 0])
        try store.storeLogs(logs(40...41))
        #expect(bounds(store) == [40, 41])
    }

    @Test func `a hole is refused`() throws {
        let store = try store(1...9)
        #expect(throws: LogStoreError.hole(LogIndex(3), LogIndex(5))) {
            try store.deleteRange(LogIndex(3), LogIndex(5))
        }
        #expect(bounds(store) == [1, 9])
    }

    @Test func `deleting what is not there changes nothing`() throws {
        let store = try store(5...9)
        for (first, last) in [(1, 4), (10, 20), (8, 7)] as [(UInt64, UInt64)] {
            try store.deleteRange(LogIndex(first), LogIndex(last))
            #expect(bounds(store) == [5, 9])
        }
    }

    @Test func `a stable store gives back what was set last, and nil for what never was`() throws {
        let store = InMemoryStableStore()
        #expect(try store.get("a") == nil)
        try store.set("a", 1)
        try store.set("a", .max)
        #expect(try store.get("a") == .max)
        #expect(try store.get("b") == nil)
    }
}

/// A `LogStore` behind a node.
@Suite struct LogStoreBlockLogTests {
    private let loop = EmbeddedEventLoop()
    private let executor = ManualExecutor()
    private let store = InMemoryLogStore()
    private let stable = InMemoryStableStore()

    private func open() throws -> LogStoreBlockLog {
        try LogStoreBlockLog(store: store, stable: stable, eventLoop: loop, executor: executor)
    }

    private func settle() {
        loop.run()
        while executor.runNext() { loop.run() }
    }

    private func append(_ text: String, at index: UInt64, term: UInt64 = 1, epoch: UInt64 = 0, to log: LogStoreBlockLog)
    {
        let encoded = BlockEncoder().encode(
            [Entry(head: ByteBuffer(string: "h"), payload: ByteBuffer(string: text))], shard: .metadata,
            compression: .zstd(level: 1))
        _ = log.append(encoded, base: LogIndex(index), term: Term(term), epoch: epoch)
    }

    private func read(_ log: LogStoreBlockLog, from index: UInt64, maxBytes: Int = .max) throws -> [Block] {
        var result: Result<[Block], StorageError>?
        log.read(from: LogIndex(index), maxBytes: maxBytes, decompress: true) { result = $0 }
        settle()
        return try #require(result).get()
    }

    @Test func `an entry is reported when it is stored, and not before`() throws {
        let log = try open()
        var flushed: [[UInt64]] = []
        log.onFlushed = { flushed.append([$0, $1.rawValue]) }
        append("a", at: 1, epoch: 7, to: log)
        loop.run()
        #expect(flushed.isEmpty)
        #expect(store.lastIndex == .zero)
        settle()
        #expect(flushed == [[7, 1]])
        #expect(try store.log(at: LogIndex(1)).payload == ByteBuffer(string: "a"))
        #expect(try store.log(at: LogIndex(1)).head == ByteBuffer(string: "h"))
    }

    @Test func `a block stays in memory until it is evicted, and is read from the store afterwards`() throws {
        let log = try open()
        for index in 1...5 as ClosedRange<UInt64> { append("\(index)", at: index, to: log) }
        settle()
        #expect(log.block(containing: LogIndex(3))?.base == LogIndex(3))
        log.evict(below: LogIndex(4))
        #expect(log.block(containing: LogIndex(3)) == nil)
        #expect(log.block(containing: LogIndex(4)) != nil)
        #expect(log.block(containing: LogIndex(6)) == nil)
        let blocks = try read(log, from: 2)
        #expect(blocks.map(\.base) == (2...5).map { LogIndex($0) })
        #expect(try blocks.map { String(buffer: try $0.payload().joined) } == ["2", "3", "4", "5"])
    }

    @Test func `a read returns at least one block and respects its limit otherwise`() throws {
        let log = try open()
        for index in 1...5 as ClosedRange<UInt64> { append("\(index)", at: index, to: log) }
        settle()
        #expect(try read(log, from: 1, maxBytes: 1).count == 1)
        #expect(throws: StorageError.outOfRange(index: LogIndex(9), first: LogIndex(1), last: LogIndex(5))) {
            try read(log, from: 9)
        }
    }

    @Test func `a cut removes the entry and all behind it, in memory and in the store`() throws {
        let log = try open()
        for index in 1...5 as ClosedRange<UInt64> { append("old", at: index, to: log) }
        log.truncate(from: LogIndex(3))
        append("new", at: 3, term: 2, epoch: 1, to: log)
        #expect(log.block(containing: LogIndex(4)) == nil)
        settle()
        #expect(store.lastIndex == LogIndex(3))
        #expect(try store.log(at: LogIndex(3)).term == Term(2))
    }

    @Test func `entries, terms and the vote are recovered`() throws {
        let log = try open()
        #expect(log.recovered == RecoveredLog())
        #expect(log.recoveredHardState == HardState())
        for index in 1...4 as ClosedRange<UInt64> { append("\(index)", at: index, term: index < 3 ? 1 : 5, to: log) }
        var isSaved = false
        log.save(HardState(term: Term(5), votedFor: NodeID(3))) { isSaved = true }
        settle()
        #expect(isSaved)
        let again = try open()
        #expect(again.recovered.firstIndex == LogIndex(1))
        #expect(again.recovered.lastIndex == LogIndex(4))
        #expect(
            again.recovered.termStarts == [
                .init(index: LogIndex(1), term: Term(1)), .init(index: LogIndex(3), term: Term(5)),
            ])
        #expect(again.recoveredHardState == HardState(term: Term(5), votedFor: NodeID(3)))
    }

    @Test func `a vote counts only in the term it was given in`() throws {
        let log = try open()
        log.save(HardState(term: Term(5), votedFor: NodeID(3))) {}
        log.save(HardState(term: Term(6))) {}
        settle()
        #expect(try open().recoveredHardState == HardState(term: Term(6)))
    }

    @Test func `the first error ends all writing and is told once`() throws {
        let failing = FailingStore()
        let log = try LogStoreBlockLog(store: failing, stable: stable, eventLoop: loop, executor: executor)
        var failures: [StorageError] = []
        var flushed: [LogIndex] = []
        log.onFailure = { failures.append($0) }
        log.onFlushed = { flushed.append($1) }
        append("a", at: 1, to: log)
        settle()
        failing.fail(with: .storage(.io(.flush, path: "x", errno: 5)))
        append("b", at: 2, to: log)
        append("c", at: 3, to: log)
        settle()
        failing.fail(with: nil)
        append("d", at: 4, to: log)
        settle()
        #expect(failures == [.io(.flush, path: "x", errno: 5)])
        #expect(flushed == [LogIndex(1)])
        #expect(failing.lastIndex == LogIndex(1))
    }
}
