import Basics

/// What a server has in every role (Raft paper figure 2: "state on all servers"), and its way out.
///
/// Owned by `Core`, apart from the role: leader and follower change it through `inout` and so can write the log, commit
/// and send, but can't change the role. Bounded by its parts.
struct Replica: Sendable {
    let configuration: CoreConfiguration
    /// All voters but this one.
    let peers: [NodeID]
    var log: LogView
    var outbox: Outbox
    private(set) var commitIndex: LogIndex
    private var random: RandomSource
    private var lastReplicationEpoch: ReplicationEpoch = 0

    init(_ configuration: CoreConfiguration, hardState: HardState, log: RecoveredLog, seed: UInt64) {
        let voters = Set(configuration.voters)
        invariant(voters.count == configuration.voters.count, "a voter is named twice: \(configuration.voters)")
        invariant(voters.contains(configuration.id), "\(configuration.id) is not among \(configuration.voters)")
        invariant(configuration.electionTimeout > .zero, "election timeout \(configuration.electionTimeout)")
        self.configuration = configuration
        peers = configuration.voters.filter { $0 != configuration.id }
        self.log = LogView(log, tailBytesMax: configuration.tailBytesMax)
        // Blocks of a new term may reach the disk before the term itself. The vote in that term was then never spoken.
        let lastTerm = self.log.lastTerm
        let newest = hardState.term >= lastTerm ? hardState : HardState(term: lastTerm)
        outbox = Outbox(persisted: hardState, hardState: newest)
        // What was reclaimed had been applied.
        commitIndex = log.firstIndex.previous
        random = RandomSource(seed: seed)
    }

    var id: NodeID { configuration.id }
    var hardState: HardState { outbox.hardState }
    var term: Term { outbox.hardState.term }
    var quorumSize: Int { Quorum.size(voters: peers.count + 1) }

    /// Moves the commit index forward and has the entries applied. An index at or below it is nothing new.
    mutating func commit(through index: LogIndex) {
        guard index > commitIndex else { return }
        invariant(index <= log.lastIndex, "commit \(index) behind the last index \(log.lastIndex)")
        commitIndex = index
        outbox.emit(.commit(through: index))
    }

    /// Cuts the log. Losing a committed entry is what Raft exists to prevent, so that stops the process.
    mutating func truncate(from index: LogIndex) {
        invariant(index > commitIndex, "cut at \(index), committed through \(commitIndex)")
        log.truncate(from: index)
        outbox.emit(.truncate(from: index, epoch: log.storageEpoch))
    }

    /// Between once and twice the election timeout, so that servers seldom stand for election together (§5.2).
    mutating func drawElectionTimeout() -> TimeSpan {
        let base = configuration.electionTimeout
        return base + TimeSpan(nanoseconds: Int64(random.next() % UInt64(base.nanoseconds)))
    }

    /// Never given twice in the life of this core, so that neither an answer nor a read of an earlier leadership is
    /// taken for one of this.
    mutating func newReplicationEpoch() -> ReplicationEpoch {
        lastReplicationEpoch += 1
        return lastReplicationEpoch
    }

    /// Whether the oldest unflushed append has waited for longer than a disk that works ever takes.
    func isStorageStalled(at now: Instant) -> Bool {
        guard let since = log.unflushedSince else { return false }
        return now - since >= configuration.storageStallTimeout
    }
}
