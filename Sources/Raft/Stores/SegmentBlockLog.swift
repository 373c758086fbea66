import Basics
import NIOCore
import RaftCore
import SegmentLog

/// The log on disk as a `RaftNode` uses it: terms and votes as Raft's types, tokens as storage epochs.
public final class SegmentBlockLog: BlockLog {
    public let log: SegmentLog
    public let recovered: RecoveredLog
    public let recoveredHardState: HardState
    public let entriesPerBlockMax = Int.max

    /// - Parameter log: just opened; from here on it belongs to this value's event loop.
    public init(_ log: SegmentLog) {
        self.log = log
        recovered = RecoveredLog(
            firstIndex: log.firstIndex, lastIndex: log.lastIndex,
            termStarts: log.termStarts.map { .init(index: $0.0, term: $0.1) })
        recoveredHardState = HardState(
            term: Term(log.hardState.term), votedFor: log.hardState.vote.map { NodeID($0) })
    }

    public var onFlushed: ((StorageEpoch, LogIndex) -> Void)? {
        get { log.onFlushed }
        set { log.onFlushed = newValue }
    }

    public var onFailure: ((StorageError) -> Void)? {
        get { log.onFailure }
        set { log.onFailure = newValue }
    }

    public func append(_ encoded: EncodedBlock, base: LogIndex, term: Term, epoch: StorageEpoch) -> Block {
        log.append(encoded, base: base, term: term, token: epoch)
    }

    public func append(_ block: Block, epoch: StorageEpoch) throws(BlockOrderError) {
        try log.append(block, token: epoch)
    }

    public func truncate(from: LogIndex) { log.truncate(from: from) }

    public func save(_ hardState: HardState, completion: @escaping () -> Void) {
        log.saveHardState(
            HardStateRecord(term: hardState.term.rawValue, vote: hardState.votedFor?.rawValue), completion: completion)
    }

    public func block(containing index: LogIndex) -> Block? { log.block(containing: index) }
    public func evict(below index: LogIndex) { log.evict(below: index) }

    public func read(
        from: LogIndex, maxBytes: Int, decompress: Bool,
        completion: @escaping (Result<[Block], StorageError>) -> Void
    ) {
        log.read(from: from, maxBytes: maxBytes, decompress: decompress, completion: completion)
    }

    public func readHeads(
        from: LogIndex, maxBytes: Int, completion: @escaping (Result<[BlockHeads], StorageError>) -> Void
    ) {
        log.readHeads(from: from, maxBytes: maxBytes, completion: completion)
    }

    public func storeOffsets(
        _ content: ByteBuffer, of segment: LogIndex, completion: @escaping (Result<Void, StorageError>) -> Void
    ) {
        log.storeOffsets(content, of: segment, completion: completion)
    }

    public func loadOffsets(of segment: LogIndex, completion: @escaping (Result<ByteBuffer, StorageError>) -> Void) {
        log.loadOffsets(of: segment, completion: completion)
    }
}
