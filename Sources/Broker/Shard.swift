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
    private var offsetTables: OffsetTables
    private var coldBlocks: BlockCache
    private var blockLoads = BlockLoads()
    private var readAhead = ReadAhead()
    var resumePoints = ResumePoints()
    private let coldReads: ColdReadPacer
    /// While this broker leads the shard and serves it.
    var groupCoordinator: GroupCoordinator?
    /// Since when this broker leads the shard and serves it; nil while it does not.
    var servingSince: NIODeadline?
    /// Deleted topics whose partitions are being dropped.
    private var forgetting: Set<TopicNumber> = []

    init(
        id: ShardID, machine: TopicsFSM, node: RaftNode<TopicsFSM>, configuration: BrokerConfiguration,
        coldReads: ColdReadPacer
    ) {
        self.id = id
        self.coldReads = coldReads
        self.machine = machine
        self.node = node
        offsetTables = OffsetTables(bytesMax: configuration.shardPart(of: configuration.offsetTableBytesMax))
        coldBlocks = BlockCache(bytesMax: configuration.shardPart(of: configuration.coldBlockBytesMax))
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
        if let cached = coldBlocks.block(containing: index) {
            if let next = readAhead.reading(index) { loadAhead(from: next) }
            return cached
        }
        guard let block = node.log.block(containing: index) else { return nil }
        if block.rawPayload != nil { return block }
        // A block received as a follower, or written before a restart: it is decompressed once.
        let readable = block.withRawPayload(try block.payload())
        coldBlocks.insert(readable)
        return readable
    }

    /// Bytes read at once when a reader is behind the blocks in memory.
    private static var loadBytes: Int { 2.mebibytes }

    /// Brings into memory what is missing there.
    func load(_ missing: Missing, completion: @escaping (Result<Void, StorageError>) -> Void) {
        switch missing {
        case .block(let index): loadBlock(index, completion)
        case .offsets(let segment): loadOffsets(of: segment, completion)
        }
    }

    /// The block, and some that follow it; or what a load brings that is under way.
    private func loadBlock(_ index: LogIndex, _ completion: @escaping BlockLoads.Completion) {
        let waiter = BlockLoads.Waiter(index: index, completion: completion)
        if !blockLoads.join(waiter) { startLoad(for: waiter) }
    }

    /// Nobody waits for it yet; whoever wants it meanwhile joins it.
    private func loadAhead(from index: LogIndex) {
        guard index <= node.commitIndex, node.log.block(containing: index) == nil else { return }
        loadBlock(index) { _ in }
    }

    private func startLoad(for waiter: BlockLoads.Waiter) {
        let number = blockLoads.begin(from: waiter.index)
        coldReads.requestTurn(for: Self.loadBytes) { [self] turn in
            node.log.read(from: waiter.index, maxBytes: Self.loadBytes, decompress: true) { [self] result in
                let blocks = (try? result.get()) ?? []
                coldReads.finished(turn, bytes: blocks.reduce(0) { $0 + $1.header.rawLength })
                if let first = blocks.first, let last = blocks.last {
                    readAhead.loaded(first.base, through: last.last)
                }
                let joined = blockLoads.end(number)
                waiter.completion(result.map { remember($0) })
                resume(joined)
            }
        }
    }

    private func remember(_ blocks: [Block]) {
        // What is not committed may yet be cut off and replaced: it must not be remembered.
        for block in blocks.reversed() where block.rawPayload != nil && block.last <= node.commitIndex {
            coldBlocks.insert(block)
        }
    }

    /// Goes on for those who joined a load. It may have failed, or ended before the block they want.
    private func resume(_ waiters: [BlockLoads.Waiter]) {
        // The first of those it did not help gets a load of its own: others could come before it again and again.
        var mustStart = true
        for waiter in waiters {
            if coldBlocks.block(containing: waiter.index) != nil {
                waiter.completion(.success(()))
            } else if mustStart {
                mustStart = false
                startLoad(for: waiter)
            } else {
                loadBlock(waiter.index, waiter.completion)
            }
        }
    }

    // MARK: Offset tables

    /// The table of a sealed segment, if it is in memory.
    func offsets(of segment: LogIndex) -> OffsetTable? { offsetTables.table(of: segment) }

    /// Writes the tables of the segments that were sealed since the last call. They stay in memory until they are
    /// written; one that cannot be written stays for good.
    func storeSealedOffsets(_ failed: @escaping (StorageError) -> Void) {
        for table in machine.takeSealed() {
            offsetTables.insertUnwritten(table)
            node.log.storeOffsets(table.encoded(), of: table.segment) { [self] result in
                switch result {
                case .success: offsetTables.written(table.segment)
                case .failure(let error): failed(error)
                }
            }
        }
    }

    private func loadOffsets(
        of segment: LogIndex, _ completion: @escaping (Result<Void, StorageError>) -> Void
    ) {
        node.log.loadOffsets(of: segment) { [self] result in
            completion(result.map { content in
                // Its checksum was right, so a Martlet wrote it, and one that is newer than this.
                guard let table = OffsetTable(content, of: segment) else {
                    preconditionFailure("the offsets of segment \(segment) are not understood: start a newer Martlet")
                }
                offsetTables.insert(table)
            })
        }
    }
}
