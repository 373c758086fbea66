import Basics
import DequeModule
import NIOCore
import RaftCore
import SegmentLog

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Runs a `RaftNode` on any `LogStore` and `StableStore`: every block holds one entry, and is stored as one `Log`.
///
/// Owner: the node's event loop. The stores are called on `executor` alone, in order. All nodes of a group must use
/// stores of single entries, because blocks are compared by their bytes.
public final class LogStoreBlockLog: BlockLog {
    private enum Key {
        static let term = "CurrentTerm"
        static let votedFor = "LastVoteCand"
        /// Written last: a vote counts only with the term it was given in.
        static let voteTerm = "LastVoteTerm"
    }

    public let recovered: RecoveredLog
    public let recoveredHardState: HardState
    public let entriesPerBlockMax = 1
    public var onFlushed: ((StorageEpoch, LogIndex) -> Void)?
    public var onFailure: ((StorageError) -> Void)?

    private let shard: ShardID
    private let store: any LogStore
    private let stable: any StableStore
    private let loop: any EventLoop
    private let executor: any StorageExecutor
    private let encoder = BlockEncoder()
    private var tail: Deque<Block> = []
    private var hasFailed = false

    /// Reads what the stores hold. Synchronous.
    public init(
        shard: ShardID = .metadata, store: any LogStore, stable: any StableStore, eventLoop: any EventLoop,
        executor: any StorageExecutor
    ) throws(LogStoreError) {
        self.shard = shard
        self.store = store
        self.stable = stable
        self.executor = executor
        loop = eventLoop
        recovered = try Self.recover(store)
        recoveredHardState = try Self.hardState(stable)
    }

    private static func recover(_ store: any LogStore) throws(LogStoreError) -> RecoveredLog {
        let first = store.firstIndex, last = store.lastIndex
        guard last > .zero else { return RecoveredLog() }
        var starts: [RecoveredLog.TermStart] = []
        var index = first
        while index <= last {
            let term = try store.log(at: index).term
            if starts.last?.term != term { starts.append(.init(index: index, term: term)) }
            index = index.next
        }
        return RecoveredLog(firstIndex: first, lastIndex: last, termStarts: starts)
    }

    private static func hardState(_ stable: any StableStore) throws(LogStoreError) -> HardState {
        let term = try stable.get(Key.term) ?? 0
        let vote = try stable.get(Key.voteTerm) == term ? try stable.get(Key.votedFor) : nil
        return HardState(term: Term(term), votedFor: vote.map { NodeID(Int32(truncatingIfNeeded: $0)) })
    }

    // MARK: Writing

    public func append(_ encoded: EncodedBlock, base: LogIndex, term: Term, epoch: StorageEpoch) -> Block {
        let block = encoded.stamp(base: base, term: term, segment: LogIndex(1))
        queue(block, epoch)
        return block
    }

    public func append(_ block: Block, epoch: StorageEpoch) throws(BlockOrderError) {
        queue(block, epoch)
    }

    private func queue(_ block: Block, _ epoch: StorageEpoch) {
        tail.append(block)
        write { store, _ throws(LogStoreError) in
            try store.storeLogs(try Self.logs(in: block))
        } then: { node in
            node.onFlushed?(epoch, block.last)
        }
    }

    public func truncate(from: LogIndex) {
        while let last = tail.last, last.base >= from { tail.removeLast() }
        write { store, _ throws(LogStoreError) in
            if store.lastIndex >= from { try store.deleteRange(from, store.lastIndex) }
        } then: { _ in
        }
    }

    public func save(_ hardState: HardState, completion: @escaping () -> Void) {
        write { _, stable throws(LogStoreError) in
            try stable.set(Key.term, hardState.term.rawValue)
            if let vote = hardState.votedFor {
                try stable.set(Key.votedFor, UInt64(truncatingIfNeeded: vote.rawValue))
                try stable.set(Key.voteTerm, hardState.term.rawValue)
            }
        } then: { _ in
            completion()
        }
    }

    /// Runs `body` on the executor, then `then` on the loop; the first error ends all writing.
    private func write(
        _ body: @escaping @Sendable (any LogStore, any StableStore) throws(LogStoreError) -> Void,
        then: @escaping (LogStoreBlockLog) -> Void
    ) {
        guard !hasFailed else { return }
        let bound = NIOLoopBound((self, then), eventLoop: loop)
        executor.submit { [store, stable, loop] in
            let result = Result { () throws(LogStoreError) in try body(store, stable) }
            loop.execute {
                let (log, then) = bound.value
                guard !log.hasFailed else { return }
                switch result {
                case .success: then(log)
                case .failure(let error): log.fail(error)
                }
            }
        }
    }

    private func fail(_ error: LogStoreError) {
        hasFailed = true
        if case .storage(let cause) = error { return onFailure?(cause) ?? () }
        // The store contradicts what it said before: as good as a disk that lost its data.
        onFailure?(.io(.write, path: "log store: \(error)", errno: EIO))
    }

    // MARK: Reading

    public func block(containing index: LogIndex) -> Block? {
        guard let first = tail.first, index >= first.base else { return nil }
        let position = index - first.base
        return position < tail.count ? tail[position] : nil
    }

    public func evict(below index: LogIndex) {
        while let first = tail.first, first.last < index { tail.removeFirst() }
    }

    public func read(
        from: LogIndex, maxBytes: Int, decompress: Bool,
        completion: @escaping (Result<[Block], StorageError>) -> Void
    ) {
        let bound = NIOLoopBound(completion, eventLoop: loop)
        executor.submit { [store, loop, encoder, shard] in
            let result = Self.read(store, encoder, shard, from: from, maxBytes: maxBytes)
            loop.execute { bound.value(result) }
        }
    }

    public func readHeads(
        from: LogIndex, maxBytes: Int, completion: @escaping (Result<[BlockHeads], StorageError>) -> Void
    ) {
        read(from: from, maxBytes: maxBytes, decompress: false) { result in
            completion(result.map { $0.map(\.heads) })
        }
    }

    // All is one segment here, and that is never sealed: nobody has a reason to call these.

    public func storeOffsets(
        _ content: ByteBuffer, of segment: LogIndex, completion: @escaping (Result<Void, StorageError>) -> Void
    ) {
        preconditionFailure("invariant broken: a log store seals no segment")
    }

    public func loadOffsets(of segment: LogIndex, completion: @escaping (Result<ByteBuffer, StorageError>) -> Void) {
        preconditionFailure("invariant broken: a log store seals no segment")
    }

    private static func read(
        _ store: any LogStore, _ encoder: BlockEncoder, _ shard: ShardID, from: LogIndex, maxBytes: Int
    ) -> Result<[Block], StorageError> {
        var blocks: [Block] = []
        var bytes = 0, index = from
        while index <= store.lastIndex, bytes < maxBytes {
            guard let log = try? store.log(at: index) else { break }
            let entry = Entry(type: log.type, head: log.head, payload: log.payload)
            // Raw, so that the bytes do not depend on the settings of whoever wrote the entry.
            let encoded = encoder.encode([entry], shard: shard, compression: .off)
            blocks.append(encoded.stamp(base: index, term: log.term, segment: LogIndex(1)))
            bytes += encoded.encodedSize
            index = index.next
        }
        guard !blocks.isEmpty else {
            return .failure(.outOfRange(index: from, first: store.firstIndex, last: store.lastIndex))
        }
        return .success(blocks)
    }

    private static func logs(in block: Block) throws(LogStoreError) -> [Log] {
        do {
            let payload = try block.payload()
            return block.entries.map { entry in
                Log(
                    index: entry.index, term: block.term, type: entry.type, head: entry.head,
                    payload: entry.payload(in: payload))
            }
        } catch {
            throw .damaged(error)
        }
    }
}
