import Basics

/// Everything that can happen to a core. Whoever drives it passes the time along with each event.
public enum Event: Hashable, Sendable {
    /// Time has passed. Expected every few tens of milliseconds; all deadlines are checked here.
    case tick
    /// Leader only: blocks that were encoded and now want their place in the log, in this order.
    case propose([ProposedBlock])
    case message(from: NodeID, Message)
    /// Everything appended in `epoch` up to and including `through` is on stable storage.
    case flushed(epoch: StorageEpoch, through: LogIndex)
    /// The state of an earlier `Action.persist` is on stable storage.
    case persisted(HardState)
    /// The local storage refused a write or a flush. The core steps down and takes no further part.
    case storageFailed
    /// The answer to `Action.readBlocks`: consecutive blocks, the first of which contains the index asked for.
    case blocksRead(to: NodeID, epoch: ReplicationEpoch, [BlockInfo])
    /// The connection to a peer was lost: what was in flight to it is gone, and if it leads, it may be gone itself.
    case disconnected(NodeID)
    /// Ask a quorum whether this node still leads; answered by `Action.leadershipVerified` or `.verificationFailed`.
    case verifyLeader(id: UInt64)
    /// Leader only: somebody waits elsewhere for what was just committed, so the others shall hear of it at once.
    case announceCommit
}

/// A block before it has a place in the log.
public struct ProposedBlock: Hashable, Sendable {
    public var count: Int
    public var bytes: Int

    public init(count: Int, bytes: Int) {
        self.count = count
        self.bytes = bytes
    }
}

/// What the driver must do, in the order given.
public enum Action: Hashable, Sendable {
    /// Write the hard state to stable storage, then step `Event.persisted` with the same value. Messages that depend
    /// on it are held back by the core until then.
    case persist(HardState)
    /// Leader: the proposed blocks got these places. Write them; step `flushed` when they are on stable storage.
    case appendProposed(epoch: StorageEpoch, [BlockInfo])
    /// Follower: write these blocks of the request being stepped (a suffix of its blocks), verbatim.
    case appendReceived(epoch: StorageEpoch, [BlockInfo])
    /// Cut the log: the entry at `from` and all behind it go. `epoch` is the storage epoch of what follows.
    case truncate(from: LogIndex, epoch: StorageEpoch)
    /// Send to a peer. The blocks named in an `appendRequest` are in the tail, or came from the last `blocksRead`.
    case send(to: NodeID, Message)
    /// The blocks that peer needs are no longer in the tail: read whole blocks from the log, beginning with the one
    /// that contains `from`, at least one and no more than `maxBytes` otherwise, then step `blocksRead`.
    case readBlocks(to: NodeID, epoch: ReplicationEpoch, from: LogIndex, maxBytes: Int)
    /// Entries up to and including `through` are committed and flushed here: apply them.
    case commit(through: LogIndex)
    /// A new leader's first duty: propose one block with a single no-op entry, before anything else (thesis §6.4).
    case proposeNoop
    /// Role, term or known leader changed.
    case statusChanged(Status)
    /// The proposal was not taken, because this node does not lead.
    case proposalRejected(leader: NodeID?)
    case leadershipVerified(id: UInt64)
    case verificationFailed(id: UInt64)
}

/// Who this node is at the moment, for everybody outside the core.
public struct Status: Hashable, Sendable {
    public enum Role: String, Hashable, Sendable {
        case follower, preCandidate, candidate, leader
    }

    public var role: Role
    public var term: Term
    /// The leader of `term` as far as known; this node itself when it leads.
    public var leader: NodeID?

    public init(role: Role, term: Term, leader: NodeID?) {
        self.role = role
        self.term = term
        self.leader = leader
    }
}
