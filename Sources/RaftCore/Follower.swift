import Basics

/// What only a follower has. Owned by `Core.role`, of fixed size.
struct Follower: Sendable {
    /// The leader of this term, once it has spoken. A term has one leader at most, so it never changes.
    private(set) var leader: NodeID?
    /// The last word of the leader.
    private var heard: Instant?
    private(set) var deadline: Instant
    private let timeout: TimeSpan
    /// The log equals the leader's up to here. Begins at the commit index, because every leader has all that is
    /// committed (Raft paper §5.4.3); what lies behind may be some older leader's, and is not acknowledged, although it
    /// is on the disk.
    private var verified: LogIndex
    private var leaderCommit: LogIndex = .zero
    /// Of the newest request that matched; answers that follow a flush carry them.
    private var epoch: ReplicationEpoch = 0
    private var round: UInt64 = 0

    init(leader: NodeID?, verified: LogIndex, timeout: TimeSpan, now: Instant) {
        self.leader = leader
        self.verified = verified
        self.timeout = timeout
        deadline = now + timeout
    }

    /// Whether the leader was heard of so lately that this server would not elect another one (Raft thesis §4.2.3).
    func trustsLeader(_ configuration: CoreConfiguration, now: Instant) -> Bool {
        guard let heard else { return false }
        return now - heard < configuration.electionTimeout
    }

    /// The connection to the leader broke: it is no longer trusted, and not waited for beyond `deadline`.
    mutating func lostLeader(deadline: Instant) {
        heard = nil
        self.deadline = min(self.deadline, deadline)
    }

    // MARK: Append

    /// AppendEntries, receiver's side (Raft paper §5.3), for a request of the current term.
    mutating func receive(_ request: AppendRequest, from sender: NodeID, _ replica: inout Replica, now: Instant) {
        invariant(leader == sender, "append request from \(sender), led by \(leader.map(\.description) ?? "nobody")")
        heard = now
        deadline = now + timeout
        leaderCommit = max(leaderCommit, request.commit)
        guard isAgreed(request, replica.log) else {
            return respond(request, conflict(request, replica.log), &replica)
        }
        epoch = max(epoch, request.epoch)
        round = max(round, request.round)
        let appended = append(request.blocks, to: &replica, now: now)
        verified = max(verified, request.lastIndex)
        commit(&replica)
        // What was appended is acknowledged when flushed; everything else at once.
        if !appended { respond(request, .matched(flushed: acknowledged(replica.log)), &replica) }
    }

    private func isAgreed(_ request: AppendRequest, _ log: LogView) -> Bool {
        request.previousIndex <= verified || log.term(at: request.previousIndex) == request.previousTerm
    }

    /// Appends what is not there yet. Blocks are atomic, and a leader never reuses an index in its term: an entry with
    /// the same index and term is the same block, so it is skipped, and a request that is shorter than the log cuts
    /// nothing. Only another term at a block's first index cuts.
    private func append(_ blocks: [BlockInfo], to replica: inout Replica, now: Instant) -> Bool {
        var known = 0
        while known < blocks.count, blocks[known].base <= replica.log.lastIndex {
            let block = blocks[known]
            if let term = replica.log.term(at: block.base), term != block.term {
                invariant(block.base > verified, "\(block) contradicts what was verified through \(verified)")
                replica.truncate(from: block.base)
                break
            }
            invariant(
                block.last <= replica.log.lastIndex,
                "block \(block.base)...\(block.last) is here only through \(replica.log.lastIndex)")
            known += 1
        }
        guard known < blocks.count else { return false }
        let new = known == 0 ? blocks : Array(blocks[known...])
        replica.log.append(new, now: now)
        replica.outbox.emit(.appendReceived(epoch: replica.log.storageEpoch, new))
        return true
    }

    /// Where the logs may have agreed last: the newest entry below the refused one that is of no newer term than the
    /// leader's entry there. Skips this log's newer terms at once (Raft paper §5.3, end).
    private func conflict(_ request: AppendRequest, _ log: LogView) -> AppendResponse.Outcome {
        let guess = log.lastIndex(atOrBelow: request.previousIndex.previous, termAtMost: request.previousTerm)
        let hint = max(guess, verified)
        return .conflict(
            rejected: request.previousIndex, hintIndex: hint, hintTerm: log.term(at: hint) ?? request.previousTerm)
    }

    // MARK: Flush

    /// A flush allows the next acknowledgement, one for however many requests it covers, and the next commit.
    func flushed(_ replica: inout Replica) {
        commit(&replica)
        guard let leader else { return }
        let outcome = AppendResponse.Outcome.matched(flushed: acknowledged(replica.log))
        replica.outbox.send(
            .appendResponse(.init(term: replica.term, epoch: epoch, round: round, outcome: outcome)), to: leader)
    }

    /// Flushed, and known to be what the leader has.
    private func acknowledged(_ log: LogView) -> LogIndex { min(verified, log.flushedIndex) }

    private func commit(_ replica: inout Replica) {
        replica.commit(through: min(leaderCommit, acknowledged(replica.log)))
    }

    private func respond(_ request: AppendRequest, _ outcome: AppendResponse.Outcome, _ replica: inout Replica) {
        guard let leader else { return }
        replica.outbox.send(
            .appendResponse(
                .init(term: replica.term, epoch: request.epoch, round: request.round, outcome: outcome)),
            to: leader)
    }
}
