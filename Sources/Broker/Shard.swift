import Basics
import KafkaWire
import Logging
import NIOCore
import Raft
import RaftCore
import SegmentLog

/// One Raft group as this broker takes part in it: the node, its state machine, and who waits for its data.
///
/// Owner: the `Broker`, on the event loop.
final class Shard {
    let id: ShardID
    let machine: TopicsFSM
    let node: RaftNode<TopicsFSM>
    var waitingFetches = WaitingFetches()
    /// While this broker leads the shard and serves it.
    var groupCoordinator: GroupCoordinator?
    private var coldBlocks = BlockCache(bytesMax: 32.mebibytes)
    /// Deleted topics whose partitions are being dropped.
    private var forgetting: Set<TopicNumber> = []

    init(id: ShardID, machine: TopicsFSM, node: RaftNode<TopicsFSM>) {
        self.id = id
        self.machine = machine
        self.node = node
    }

    /// Whether this broker may answer for the shard's partitions now.
    var isServing: Bool { node.isServing }

    var leader: NodeID? { node.status.leader }

    /// The leader epoch that clients see: the Raft term.
    var leaderEpoch: Int32 { Int32(truncatingIfNeeded: node.status.term.rawValue) }

    /// Why this broker cannot answer a client for the shard's partitions now; nil when it can.
    ///
    /// - Parameter clientEpoch: the leader epoch that the client believes in, -1 for none (KIP-320).
    func reasonNotToServe(clientEpoch: Int32) -> ErrorCode? {
        guard isServing else { return .notLeaderOrFollower }
        if clientEpoch == -1 || clientEpoch == leaderEpoch { return nil }
        return clientEpoch < leaderEpoch ? .fencedLeaderEpoch : .unknownLeaderEpoch
    }

    func state(of key: PartitionKey) -> PartitionState? { machine.state(of: key) }

    func isForgetting(_ topic: TopicNumber) -> Bool { forgetting.contains(topic) }
    func beginForgetting(_ topic: TopicNumber) { forgetting.insert(topic) }
    func endForgetting(_ topic: TopicNumber) { forgetting.remove(topic) }

    // MARK: Blocks

    /// The block that contains `index`, with its payload readable, if it is in memory.
    func block(containing index: LogIndex) throws(BlockError) -> Block? {
        if let cached = coldBlocks.block(containing: index) { return cached }
        guard let block = node.log.block(containing: index) else { return nil }
        if block.rawPayload != nil { return block }
        // A block received as a follower, or written before a restart: it is decompressed once.
        let readable = block.withRawPayload(try block.payload())
        coldBlocks.insert(readable)
        return readable
    }

    /// Bytes read ahead when a reader is behind the blocks in memory.
    private static var readAheadBytes: Int { 2.mebibytes }

    /// Brings the block that contains `index` into memory, with some that follow it.
    func load(_ index: LogIndex, completion: @escaping (Result<Void, StorageError>) -> Void) {
        node.log.read(from: index, maxBytes: Self.readAheadBytes, decompress: true) { [self] result in
            completion(result.map { blocks in
                // What is not committed may yet be cut off and replaced: it must not be remembered.
                for block in blocks.reversed() where block.rawPayload != nil && block.last <= node.commitIndex {
                    coldBlocks.insert(block)
                }
            })
        }
    }
}
