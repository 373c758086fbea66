/// What came of a join that was not refused.
public struct ClassicJoinOutcome: Hashable, Sendable {
    /// The generation of the group before the join: the member gets a later one, unless nothing changed.
    public var generation: Int32
    /// Whether the group stays as it is, so that the member is told the generation there is.
    public var isUnchanged: Bool
    /// The member that a static one replaces (KIP-345).
    public var replaced: Replaced?

    public struct Replaced: Hashable, Sendable {
        public var memberID: String
        /// The group's leader before the replacement.
        public var leaderID: String?
    }
}
