import Basics
import DequeModule

/// What only a leader has (Raft paper figure 2: "volatile state on leaders"). Created by an election, gone with the
/// term: nothing of it can leak into another leadership.
///
/// Owned by `Core.role`. Bounded: one `Progress` for each peer; `proposals` by what the driver proposes beyond
/// `acceptsProposals`.
struct Leader: Sendable {
    /// What one call to `propose` added, kept until it is committed and flushed here.
    private struct Proposal: Sendable {
        var last: LogIndex
        var bytes: Int
    }

    let term: Term
    var peers: [Progress]
    var rounds = VerificationRounds()
    private var proposals: Deque<Proposal> = []
    private(set) var pendingBytes = 0
    private(set) var heartbeatDue: Instant

    init(_ replica: inout Replica, now: Instant) {
        invariant(replica.outbox.isDurable, "leader of term \(replica.term) before its vote is stable")
        term = replica.term
        heartbeatDue = now
        let next = replica.log.lastIndex.next
        peers = []
        for id in replica.peers {
            peers.append(Progress(id: id, next: next, epoch: replica.newReplicationEpoch(), now: now))
        }
    }

    // MARK: Time

    /// Begins to lead: the empty probes tell the others who won and ask where the logs agree.
    mutating func start(_ replica: inout Replica, now: Instant) {
        heartbeatDue = now + replica.configuration.heartbeatInterval
        heartbeat(&replica)
    }

    /// When the answers of a quorum become too old: from then on another leader may have been elected.
    func leaseEnd(_ configuration: CoreConfiguration) -> Instant {
        let contact = Quorum.reached(own: Instant.distantFuture, peers: peers.lazy.map(\.lastContact))
        return contact == .distantFuture ? contact : contact + configuration.electionTimeout
    }

    mutating func tick(_ replica: inout Replica, now: Instant) {
        guard now >= heartbeatDue else { return }
        heartbeatDue = now + replica.configuration.heartbeatInterval
        let patience = replica.configuration.heartbeatInterval * 4
        for i in peers.indices where peers[i].state == .replicate && peers[i].isSilent(for: patience, now: now) {
            peers[i].probe(from: peers[i].match.next, epoch: replica.newReplicationEpoch(), now: now)
        }
        _ = rounds.begin(force: true)
        heartbeat(&replica)
    }

    /// An empty request to everybody: keeps the followers, spreads the commit index, probes where the logs may differ,
    /// and, because it asks at `next - 1`, finds out whether anything before it was lost.
    private mutating func heartbeat(_ replica: inout Replica) {
        for i in peers.indices { send([], toPeerAt: i, &replica) }
    }

    // MARK: Own log

    mutating func propose(_ proposed: [ProposedBlock], to replica: inout Replica, now: Instant) {
        guard !proposed.isEmpty else { return }
        var base = replica.log.lastIndex.next
        let blocks = proposed.map { block in
            invariant(block.count > 0 && block.bytes >= 0, "proposed \(block)")
            let info = BlockInfo(base: base, count: block.count, term: term, bytes: block.bytes)
            base = base + block.count
            return info
        }
        let bytes = blocks.reduce(0) { $0 + $1.bytes }
        replica.log.append(blocks, now: now)
        proposals.append(Proposal(last: replica.log.lastIndex, bytes: bytes))
        pendingBytes += bytes
        replica.outbox.emit(.appendProposed(epoch: replica.log.storageEpoch, blocks))
        // In the same step as the own write: the disks of all nodes work in parallel (Raft thesis §10.2.1).
        for i in peers.indices { replicate(toPeerAt: i, &replica) }
    }

    /// Commits what a quorum has flushed, provided it is of this term: entries of earlier terms are committed only
    /// through one of this term behind them, or a later leader could overwrite them (Raft paper §5.4.2, figure 8).
    mutating func advanceCommit(_ replica: inout Replica) {
        let index = Quorum.reached(own: replica.log.flushedIndex, peers: peers.lazy.map(\.match))
        if index > replica.commitIndex, replica.log.term(at: index) == term { replica.commit(through: index) }
        let done = min(replica.commitIndex, replica.log.flushedIndex)
        while let proposal = proposals.first, proposal.last <= done {
            pendingBytes -= proposal.bytes
            proposals.removeFirst()
        }
    }

    /// An empty request to everybody who was not told of the newest commit. Nobody is told twice, so that traffic that
    /// carries the commit index anyway is not added to.
    mutating func announceCommit(_ replica: inout Replica) {
        for i in peers.indices where peers[i].announcedCommit < replica.commitIndex { send([], toPeerAt: i, &replica) }
    }

    // MARK: Leadership

    mutating func verify(_ id: UInt64, _ replica: inout Replica) {
        rounds.ask(id)
        beginRound(&replica)
    }

    private mutating func beginRound(_ replica: inout Replica) {
        guard rounds.begin(force: false) else { return }
        heartbeat(&replica)
        settleRounds(&replica)
    }

    /// Answers the questions whose round a quorum has answered.
    mutating func settleRounds(_ replica: inout Replica) {
        let answered = Quorum.reached(own: rounds.current, peers: peers.lazy.map(\.round))
        for id in rounds.settle(through: answered) { replica.outbox.emit(.leadershipVerified(id: id)) }
    }

    // MARK: Answers

    mutating func receive(_ response: AppendResponse, from id: NodeID, _ replica: inout Replica, now: Instant) {
        invariant(response.term == term, "answer of term \(response.term) to the leader of \(term)")
        guard let i = peers.firstIndex(where: { $0.id == id }), response.round <= rounds.current else { return }
        peers[i].contacted(round: response.round, now: now)
        settleRounds(&replica)
        beginRound(&replica)
        // What was sent in another epoch was sent to another idea of the follower's log.
        guard response.epoch == peers[i].epoch else { return }
        switch response.outcome {
        case .matched(let flushed):
            matched(through: flushed, peerAt: i, &replica, now: now)
        case .conflict(let rejected, let hintIndex, let hintTerm):
            guard rejected < peers[i].next, hintIndex < rejected else { return }
            let agreed = replica.log.lastIndex(atOrBelow: hintIndex, termAtMost: hintTerm)
            peers[i].probe(from: agreed.next, epoch: replica.newReplicationEpoch(), now: now)
            send([], toPeerAt: i, &replica)
        }
    }

    private mutating func matched(
        through flushed: LogIndex, peerAt i: Int, _ replica: inout Replica, now: Instant
    ) {
        guard flushed <= replica.log.lastIndex else { return }
        peers[i].acknowledge(through: flushed, now: now)
        if peers[i].state == .probe, canProve(peers[i], replica) { peers[i].replicate() }
        advanceCommit(&replica)
        replicate(toPeerAt: i, &replica)
    }
}
