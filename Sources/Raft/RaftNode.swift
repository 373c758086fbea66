import Basics
import DequeModule
import Logging
import NIOCore
import RaftCore
import SegmentLog

/// One node of one Raft group: drives a `Core`, and does what it says to the log, the state machine and the transport.
///
/// Owner: its event loop. Every method must be called there and every callback happens there; nothing in here blocks,
/// locks or awaits. `Raft` is the door for everybody else. The steps are those of docs/internals/raft.md:
/// A `propose`, B `drain` (encode), C and D `perform(.send)`, E `applyCommitted`, F the completions.
public final class RaftNode<Machine: FSM> {
    /// Told where the command was applied, or why it was not. What the state machine answered, `response(at:)` says:
    /// a closure that took the response would be generic, and so would be every collection that it waits in.
    public typealias Completion = (Result<LogIndex, RaftError>) -> Void

    public let configuration: RaftConfiguration
    public let machine: Machine
    public let log: any BlockLog
    let loop: any EventLoop
    let transport: any Transport
    let encoder: OrderedEncoder
    let logger: Logger

    var core: Core
    /// Actions not yet performed. `perform` may step the core, which appends here.
    private var actions: [Action] = []
    private var isPerforming = false
    private var ticker: RepeatedTask?
    private(set) var isShutDown = false
    public private(set) var storageFailure: StorageError?

    /// Commands that are in no block yet.
    var pending = PendingEntries()
    /// Who waits for them, in the same order. Used by index and `popFirst` alone: in code that is generic over the
    /// machine a step through a collection's protocol allocates, once for each command.
    var waiting: Deque<Waiter> = []
    /// What the pending commands will add to blocks.
    public var pendingBytes: Int { pending.bytes }
    var isDrainScheduled = false
    /// What `scheduleDrain` gives the loop. Made once, since it is wanted in every turn.
    private(set) lazy var drainAtTurnsEnd: () -> Void = { [weak self] in
        self?.isDrainScheduled = false
        self?.drain()
    }
    var proposals: Deque<Proposal> = []
    var inflight: Deque<Inflight> = []
    /// The no-op of the current term, once it has its place; a leader serves when it is applied.
    var noopIndex: LogIndex?
    var noopIsProposed = false

    // Blocks that the next append actions and requests refer to.
    private var received: [Block] = []
    private var cold: [NodeID: [Block]] = [:]

    // Applying.
    public internal(set) var appliedIndex: LogIndex = .zero
    /// Whether this node has once applied all that it knew to be committed, up to an entry of the current leader.
    /// Before that the state machine may lack what was acknowledged long ago: a node that starts cannot know what of
    /// its log is committed until a leader says so.
    public internal(set) var hasCaughtUp = false
    var isReplaying = false
    var responses: [Machine.Response] = []
    private var verifications: [UInt64: (Result<Void, RaftError>) -> Void] = [:]
    private var lastVerification: UInt64 = 0

    /// Role, term or known leader changed. Called after the node's own state has followed.
    public var onStatus: ((Status) -> Void)?
    /// Entries up to `appliedIndex` were applied. Called once per run of blocks.
    public var onApplied: (() -> Void)?
    /// The storage failed: the node has stepped down for good.
    public var onStorageFailure: ((StorageError) -> Void)?

    public init(
        configuration: RaftConfiguration, machine: Machine, log: any BlockLog, transport: any Transport,
        encoderThreads: [any StorageExecutor], eventLoop: any EventLoop, logger: Logger
    ) {
        self.configuration = configuration
        self.machine = machine
        self.log = log
        self.transport = transport
        self.loop = eventLoop
        self.logger = logger
        encoder = OrderedEncoder(configuration, threads: encoderThreads, eventLoop: eventLoop)
        core = Core(
            configuration.core, hardState: log.recoveredHardState, log: log.recovered, seed: configuration.seed,
            now: eventLoop.instant)
        appliedIndex = log.recovered.firstIndex.rawValue > 1 ? log.recovered.firstIndex.previous : .zero
    }

    /// Begins to take part: from here on the node votes, times out and is heard.
    public func start() {
        loop.preconditionInEventLoop()
        log.onFlushed = { [weak self] epoch, through in self?.flushed(epoch, through) }
        log.onFailure = { [weak self] error in self?.fail(error) }
        encoder.onEncoded = { [weak self] block, waiters in self?.propose(block, for: waiters) }
        encoder.onRoom = { [weak self] in self?.drain() }
        let interval = TimeAmount.nanoseconds(configuration.tickInterval.nanoseconds)
        let bound = NIOLoopBound(self, eventLoop: loop)
        ticker = loop.scheduleRepeatedTask(initialDelay: .zero, delay: interval) { _ in bound.value.step(.tick) }
    }

    /// Stops taking part. What waits is answered with `shutdown`; the log is left to its owner.
    public func shutdown() {
        loop.preconditionInEventLoop()
        guard !isShutDown else { return }
        isShutDown = true
        ticker?.cancel()
        log.onFlushed = nil
        log.onFailure = nil
        failWaiting(inflight: .shutdown, pending: .shutdown)
        let unverified = verifications.sorted { $0.key < $1.key }
        verifications = [:]
        for (_, completion) in unverified { completion(.failure(.shutdown)) }
    }

    // MARK: What is known

    public var status: Status { core.status }
    public var commitIndex: LogIndex { core.commitIndex }
    public var lastIndex: LogIndex { core.lastIndex }
    public var flushedIndex: LogIndex { core.flushedIndex }
    public var peers: [PeerStatus] { core.peers }
    public func term(at index: LogIndex) -> Term? { core.term(at: index) }

    /// Whether this node leads and has applied everything that earlier leaders committed: only then may it answer for
    /// the state machine.
    public var isServing: Bool {
        guard core.status.role == .leader, let noopIndex else { return false }
        return appliedIndex >= noopIndex
    }

    // MARK: Events from outside

    /// A message from a peer. Blocks must have passed `Block.decode`.
    public func receive(_ message: PeerMessage, from peer: NodeID) {
        loop.preconditionInEventLoop()
        guard !isShutDown, isConsistent(message) else { return }
        received = message.blocks
        step(.message(from: peer, message.message))
        received = []
    }

    /// Whether the blocks are those that the message names, and of this group. The log would refuse others, but only
    /// after the core has taken them.
    private func isConsistent(_ message: PeerMessage) -> Bool {
        guard case .appendRequest(let request) = message.message else { return message.blocks.isEmpty }
        return request.blocks.elementsEqual(message.blocks.lazy.map { $0.info })
            && message.blocks.allSatisfy { $0.shard == configuration.shard }
    }

    public func peerDisconnected(_ peer: NodeID) {
        guard !isShutDown else { return }
        step(.disconnected(peer))
    }

    /// Asks a quorum whether this node still leads (hashicorp/raft's `VerifyLeader`; Raft thesis §6.4).
    public func verifyLeader(_ completion: @escaping (Result<Void, RaftError>) -> Void) {
        loop.preconditionInEventLoop()
        guard !isShutDown else { return completion(.failure(.shutdown)) }
        lastVerification += 1
        verifications[lastVerification] = completion
        step(.verifyLeader(id: lastVerification))
    }

    /// Tells the others at once how far the log is committed, if this node leads. They hear of it anyway with the next
    /// entries or heartbeat; this is for entries whose effect a client may look for at any node.
    public func announceCommit() {
        loop.preconditionInEventLoop()
        guard !isShutDown else { return }
        step(.announceCommit)
    }

    // MARK: The core and its actions

    func step(_ event: Event) {
        core.step(event, now: loop.instant, into: &actions)
        guard !isPerforming else { return }
        isPerforming = true
        var next = 0
        while next < actions.count {
            let action = actions[next]
            next += 1
            perform(action)
        }
        actions.removeAll(keepingCapacity: true)
        isPerforming = false
        log.evict(below: core.tailFirstIndex)
    }

    private func perform(_ action: Action) {
        switch action {
        case .persist(let state):
            log.save(state) { [weak self] in
                guard let self, !self.isShutDown else { return }
                self.step(.persisted(state))
            }
        case .appendProposed(let epoch, let infos):
            appendProposed(infos, epoch)
        case .appendReceived(let epoch, let infos):
            appendReceived(infos, epoch)
        case .truncate(let from, _):
            log.truncate(from: from)
        case .send(let peer, let message):
            transport.send(
                PeerMessage(shard: configuration.shard, message: message, blocks: blocks(of: message, for: peer)),
                to: peer)
        case .readBlocks(let peer, let epoch, let from, let maxBytes):
            readBlocks(for: peer, epoch, from: from, maxBytes: maxBytes)
        case .commit:
            applyCommitted()
        case .proposeNoop:
            proposeNoop()
        case .statusChanged(let status):
            statusChanged(status)
        case .proposalRejected(let leader):
            rejectProposal(leader)
        case .leadershipVerified(let id):
            verifications.removeValue(forKey: id)?(.success(()))
        case .verificationFailed(let id):
            verifications.removeValue(forKey: id)?(.failure(.notLeader(leader: core.status.leader)))
        }
    }

    private func appendReceived(_ infos: [BlockInfo], _ epoch: StorageEpoch) {
        let suffix = received.suffix(infos.count)
        invariant(suffix.first?.base == infos.first?.base, "the core appends a suffix of the request")
        for block in suffix {
            do {
                try log.append(block, epoch: epoch)
            } catch {
                // The core checked the order already, so the log and the core disagree about what is stored.
                preconditionFailure("the log refused a block that the core accepted: \(error)")
            }
        }
    }

    private func blocks(of message: Message, for peer: NodeID) -> [Block] {
        guard case .appendRequest(let request) = message, !request.blocks.isEmpty else { return [] }
        return request.blocks.map { info in
            if let block = log.block(containing: info.base) { return block }
            guard let block = cold[peer]?.first(where: { $0.base == info.base }) else {
                preconditionFailure("the core sends a block that is neither in the tail nor read: \(info)")
            }
            return block
        }
    }

    private func readBlocks(for peer: NodeID, _ epoch: ReplicationEpoch, from: LogIndex, maxBytes: Int) {
        log.read(from: from, maxBytes: maxBytes, decompress: false) { [weak self] result in
            guard let self, !self.isShutDown else { return }
            switch result {
            case .success(let blocks):
                self.cold[peer] = blocks
                self.step(.blocksRead(to: peer, epoch: epoch, blocks.map { $0.info }))
                self.cold[peer] = nil
            case .failure(let error):
                self.logger.error("cannot read the log for a follower", metadata: [
                    "follower": "\(peer)", "index": "\(from)", "error": "\(error)",
                ])
                self.step(.disconnected(peer))
            }
        }
    }

    private func statusChanged(_ status: Status) {
        if status.role != .leader {
            noopIndex = nil
            noopIsProposed = false
            failWaiting(inflight: .leadershipLost, pending: .notLeader(leader: status.leader))
        }
        onStatus?(status)
    }

    private func flushed(_ epoch: StorageEpoch, _ through: LogIndex) {
        step(.flushed(epoch: epoch, through: through))
        drain()
    }

    private func fail(_ error: StorageError) {
        storageFailure = error
        step(.storageFailed)
        failWaiting(inflight: .storageFailed, pending: .storageFailed)
        onStorageFailure?(error)
    }

    /// The log can be written but not read: what is committed can no longer be applied here.
    func storageBecameUnreadable(_ error: StorageError) {
        fail(error)
    }

    private func failWaiting(inflight inflightError: RaftError, pending pendingError: RaftError) {
        let lost = inflight, refused = waiting
        inflight = []
        pending = PendingEntries()
        waiting = []
        for block in lost { for waiter in block.waiters { waiter.complete?(.failure(inflightError)) } }
        for waiter in refused { waiter.complete?(.failure(pendingError)) }
    }
}

extension Block {
    /// What the core needs to know of this block.
    var info: BlockInfo { BlockInfo(base: base, count: count, term: term, bytes: encodedSize) }
}

extension EventLoop {
    /// The loop's monotonic clock.
    var instant: Instant { Instant(nanoseconds: Int64(bitPattern: now.uptimeNanoseconds)) }
}
