import Basics
import NIOCore
import RaftCore
import SegmentLog

/// The log as a `RaftNode` uses it: whole blocks, written in order on a thread of their own, reported when flushed.
///
/// `SegmentLog` is the one for production; `LogStoreBlockLog` puts any `LogStore` behind it. Confined to the node's
/// event loop: all calls and all callbacks happen there.
public protocol BlockLog: AnyObject {
    /// What was found on disk when the log was opened.
    var recovered: RecoveredLog { get }
    var recoveredHardState: HardState { get }
    /// The most entries one block may hold here; a store of single entries says 1.
    var entriesPerBlockMax: Int { get }

    /// Called once per group commit: all that was appended in `epoch` up to `through` is on stable storage.
    var onFlushed: ((_ epoch: StorageEpoch, _ through: LogIndex) -> Void)? { get set }
    /// Called once, when the storage refused a write or a flush. Nothing is reported flushed afterwards.
    var onFailure: ((StorageError) -> Void)? { get set }

    /// Gives an encoded block its place and queues it to be written. Returns it as it will stand on every disk.
    func append(_ encoded: EncodedBlock, base: LogIndex, term: Term, epoch: StorageEpoch) -> Block
    /// Queues a block received from the leader, byte for byte.
    func append(_ block: Block, epoch: StorageEpoch) throws(BlockOrderError)
    /// Cuts the entry at `from`, which begins a block, and all behind it.
    func truncate(from: LogIndex)
    /// Makes the hard state durable, then calls back. In order with everything appended before.
    func save(_ hardState: HardState, completion: @escaping () -> Void)

    /// The block that contains this index, if it is still in memory.
    func block(containing index: LogIndex) -> Block?
    /// Blocks that end below `index` may leave memory.
    func evict(below index: LogIndex)
    /// Reads whole blocks in order, the first of which contains `from`: at least one, and no more than `maxBytes`
    /// otherwise. With `decompress`, every block comes with its raw payload attached.
    func read(
        from: LogIndex, maxBytes: Int, decompress: Bool, completion: @escaping (Result<[Block], StorageError>) -> Void)
    /// As `read`, but the blocks come without their payloads.
    func readHeads(from: LogIndex, maxBytes: Int, completion: @escaping (Result<[BlockHeads], StorageError>) -> Void)

    /// Keeps what the state machine derived from a sealed segment, so that it need not stay in memory. Not durable:
    /// it is derived again when the log is applied again.
    func storeOffsets(
        _ content: ByteBuffer, of segment: LogIndex, completion: @escaping (Result<Void, StorageError>) -> Void)
    /// What was kept for a sealed segment. Fails with `.damaged` if it is missing or not whole.
    func loadOffsets(of segment: LogIndex, completion: @escaping (Result<ByteBuffer, StorageError>) -> Void)
}
