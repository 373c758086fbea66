import Basics

/// The Raft algorithm as a value: an event goes in, actions come out, and nothing else happens.
///
/// It has no clock, file, socket, lock, task or logger, so the same code runs in a server, in a simulator and in a
/// script. Whoever drives it owns it, on one thread, and calls `step` for one event at a time; its size is bounded by
/// what `CoreConfiguration` allows. The rules are explained in docs/internals/raft.md.
///
/// Raft: D. Ongaro, J. Ousterhout, "In Search of an Understandable Consensus Algorithm" ("paper"), and D. Ongaro,
/// "Consensus: Bridging Theory and Practice" ("thesis").
public struct Core: Sendable {
    var replica: Replica
    var role: Role
    /// The storage has failed: this server answers nothing and asks for nothing until it is opened anew.
    private(set) var isHalted = false
    private var announced: Status

    /// A server that has just been recovered, as a follower that knows no leader.
    ///
    /// - Parameters:
    ///   - hardState: what was last made durable by `Action.persist`.
    ///   - seed: of the election timeouts; give each server another one.
    public init(
        _ configuration: CoreConfiguration, hardState: HardState, log: RecoveredLog, seed: UInt64, now: Instant
    ) {
        replica = Replica(configuration, hardState: hardState, log: log, seed: seed)
        // Alone there is nobody to wait for.
        let timeout = replica.peers.isEmpty
            ? .zero : configuration.initialElectionDelay + replica.drawElectionTimeout()
        role = .follower(Follower(leader: nil, verified: replica.commitIndex, timeout: timeout, now: now))
        announced = Status(role: .follower, term: replica.term, leader: nil)
    }

    /// Takes one event at the time `now`, which must not run backwards, and appends to `actions` what is to be done.
    public mutating func step(_ event: Event, now: Instant, into actions: inout [Action]) {
        if isHalted {
            refuse(event)
        } else {
            take(event, now: now)
        }
        replica.outbox.drain(into: &actions)
        invariant(
            replica.commitIndex <= replica.log.lastIndex,
            "commit \(replica.commitIndex), last \(replica.log.lastIndex)")
        invariant(
            replica.log.flushedIndex <= replica.log.lastIndex,
            "flushed \(replica.log.flushedIndex), last \(replica.log.lastIndex)")
    }

    private mutating func take(_ event: Event, now: Instant) {
        switch event {
        case .tick:
            tick(now: now)
        case .propose(let blocks):
            let taken = lead { leader, replica in leader.propose(blocks, to: &replica, now: now) }
            if !taken { refuse(event) }
        case .message(let sender, let message):
            guard replica.peers.contains(sender), message.isWellFormed else { return }
            receive(message, from: sender, now: now)
        case .flushed(let epoch, let index):
            flushed(through: index, epoch: epoch)
        case .persisted(let state):
            if replica.outbox.persisted(state) { countOwnVote(now: now) }
        case .storageFailed:
            halt(now: now)
        case .blocksRead(let peer, let epoch, let blocks):
            lead { leader, replica in leader.blocksRead(blocks, to: peer, epoch: epoch, &replica, now: now) }
        case .disconnected(let peer):
            lead { leader, replica in leader.disconnected(peer, &replica, now: now) }
            lostLeader(peer, now: now)
        case .verifyLeader(let id):
            let taken = lead { leader, replica in leader.verify(id, &replica) }
            if !taken { refuse(event) }
        case .announceCommit:
            lead { leader, replica in leader.announceCommit(&replica) }
        }
    }

    /// Answers what must be answered, for a server that does not lead.
    private mutating func refuse(_ event: Event) {
        switch event {
        case .propose: replica.outbox.emit(.proposalRejected(leader: status.leader))
        case .verifyLeader(let id): replica.outbox.emit(.verificationFailed(id: id))
        default: break
        }
    }

    private mutating func flushed(through index: LogIndex, epoch: StorageEpoch) {
        guard replica.log.flush(through: index, epoch: epoch) else { return }
        switch role {
        case .follower(let follower): follower.flushed(&replica)
        case .leader: lead { leader, replica in leader.advanceCommit(&replica) }
        case .preCandidate, .candidate: break
        }
    }

    /// Gives up for good. The blocks that failed to be written may be on other disks by now, so this server must never
    /// give their indices to anything else in this term: it takes no further part.
    private mutating func halt(now: Instant) {
        replica.outbox.silence()
        becomeFollower(of: nil, now: now)
        isHalted = true
    }

    /// Lets `body` change the leader's state in place. False when this server does not lead.
    ///
    /// The role is taken out meanwhile, or each change would copy the arrays in it; `body` can't see the role at all.
    @discardableResult
    mutating func lead(_ body: (inout Leader, inout Replica) -> Void) -> Bool {
        guard case .leader(var leader) = role else { return false }
        role = .follower(Follower(leader: nil, verified: .zero, timeout: .zero, now: .zero))
        body(&leader, &replica)
        role = .leader(leader)
        return true
    }

    /// Reports role, term and leader if one of them changed.
    mutating func announce() {
        let status = status
        guard status != announced else { return }
        announced = status
        replica.outbox.emit(.statusChanged(status))
    }
}
