import Basics

/// What this server is at the moment, with what only that role has. Nothing survives a change of role.
///
///               timeout                 quorum of pre-votes        quorum of votes
///     follower ─────────▶ preCandidate ────────────────────▶ candidate ──────────────▶ leader
///        ▲                     │  ▲                              │  │                    │
///        │                     │  └────────── timeout ───────────┘  │                    │
///        └─────────────────────┴────────────────────────────────────┴────────────────────┘
///             a leader of this term, a newer term; for a leader also: lease or disk lost
///
enum Role: Sendable {
    case follower(Follower)
    case preCandidate(Campaign)
    case candidate(Campaign)
    case leader(Leader)
}

/// One attempt to be elected. Owned by `Core.role`; `granted` is bounded by the number of voters.
struct Campaign: Sendable {
    /// When to give up and try again.
    let deadline: Instant
    private var granted: Set<NodeID> = []

    init(deadline: Instant) { self.deadline = deadline }

    /// Counts a vote, however often it arrives, and says how many there are.
    mutating func grant(by voter: NodeID) -> Int {
        granted.insert(voter)
        return granted.count
    }
}
