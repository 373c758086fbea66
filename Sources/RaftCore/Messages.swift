import Basics

/// What the core needs to know of a block: consecutive entries of one term that are stored and sent as one unit.
///
/// The bytes stay with the driver. Two blocks with the same base and term are the same bytes on every node, because a
/// leader never reuses an index within its term.
public struct BlockInfo: Hashable, Sendable {
    /// Index of the block's first entry.
    public var base: LogIndex
    /// Number of entries, at least one.
    public var count: Int
    public var term: Term
    /// Encoded size, the unit of all windows and limits.
    public var bytes: Int

    public init(base: LogIndex, count: Int, term: Term, bytes: Int) {
        self.base = base
        self.count = count
        self.term = term
        self.bytes = bytes
    }

    /// Index of the block's last entry.
    public var last: LogIndex { base + (count - 1) }
}

/// What a server must have on stable storage before it speaks (Raft paper figure 2, "persistent state").
public struct HardState: Hashable, Sendable {
    public var term: Term
    public var votedFor: NodeID?

    public init(term: Term = .zero, votedFor: NodeID? = nil) {
        self.term = term
        self.votedFor = votedFor
    }
}

/// One leader's unbroken run of sending to one follower. A new number begins whenever the leader starts to probe again,
/// and an answer that carries another number moves nothing.
public typealias ReplicationEpoch = UInt64

/// Counts truncations of the local log, so that the completion of a write that has since been cut off is recognised.
public typealias StorageEpoch = UInt64

/// A message between two cores. Requests and responses are one-way; a lost one is repeated by the sender's own rules.
public enum Message: Hashable, Sendable {
    case preVoteRequest(VoteRequest)
    case preVoteResponse(VoteResponse)
    case voteRequest(VoteRequest)
    case voteResponse(VoteResponse)
    case appendRequest(AppendRequest)
    case appendResponse(AppendResponse)
}

/// RequestVote (Raft paper §5.2), and the pre-vote of the Raft thesis §9.6, in which `term` is the term the sender
/// would campaign in.
public struct VoteRequest: Hashable, Sendable {
    public var term: Term
    public var lastIndex: LogIndex
    public var lastTerm: Term

    public init(term: Term, lastIndex: LogIndex, lastTerm: Term) {
        self.term = term
        self.lastIndex = lastIndex
        self.lastTerm = lastTerm
    }
}

/// The answer to a `VoteRequest`. `term` is the term voted in when granted, the voter's own term when not.
public struct VoteResponse: Hashable, Sendable {
    public var term: Term
    public var granted: Bool

    public init(term: Term, granted: Bool) {
        self.term = term
        self.granted = granted
    }
}

/// AppendEntries (Raft paper §5.3). Empty `blocks` make it a heartbeat.
public struct AppendRequest: Hashable, Sendable {
    public var term: Term
    public var epoch: ReplicationEpoch
    public var previousIndex: LogIndex
    public var previousTerm: Term
    /// The leader's commit index.
    public var commit: LogIndex
    /// The newest round of leadership verification; the follower echoes it (`Event.verifyLeader`).
    public var round: UInt64
    public var blocks: [BlockInfo]

    public init(
        term: Term, epoch: ReplicationEpoch, previousIndex: LogIndex, previousTerm: Term, commit: LogIndex,
        round: UInt64, blocks: [BlockInfo]
    ) {
        self.term = term
        self.epoch = epoch
        self.previousIndex = previousIndex
        self.previousTerm = previousTerm
        self.commit = commit
        self.round = round
        self.blocks = blocks
    }

    /// The last index this request speaks for.
    public var lastIndex: LogIndex { blocks.last?.last ?? previousIndex }
}

/// The answer to an `AppendRequest`.
public struct AppendResponse: Hashable, Sendable {
    public enum Outcome: Hashable, Sendable {
        /// The follower's log equals the leader's up to `flushed`, and has it on disk up to there.
        case matched(flushed: LogIndex)
        /// The previous entry is missing or of another term. `hintIndex`/`hintTerm` are the follower's best guess at
        /// where the logs last agreed: the entry at `hintIndex` in its log has term `hintTerm`, and `hintIndex` is
        /// below the rejected `previousIndex`. The leader may skip whole terms with it (Raft paper §5.3).
        case conflict(rejected: LogIndex, hintIndex: LogIndex, hintTerm: Term)
    }

    public var term: Term
    public var epoch: ReplicationEpoch
    public var round: UInt64
    public var outcome: Outcome

    public init(term: Term, epoch: ReplicationEpoch, round: UInt64, outcome: Outcome) {
        self.term = term
        self.epoch = epoch
        self.round = round
        self.outcome = outcome
    }
}
