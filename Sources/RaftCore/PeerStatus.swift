import Basics

/// A leader's view of one follower, for operators.
public struct PeerStatus: Hashable, Sendable {
    public enum State: String, Hashable, Sendable {
        /// The leader looks for the place where the logs agree.
        case probe
        /// Blocks flow.
        case replicate
    }

    public var id: NodeID
    public var state: State
    /// The follower has everything up to here on stable storage.
    public var match: LogIndex
    /// The next entry the leader will send.
    public var next: LogIndex
    /// Bytes sent and not yet acknowledged.
    public var inflightBytes: Int
    /// When the follower last answered in this term; when the term's leadership began if it never did.
    public var lastContact: Instant

    init(_ progress: Progress) {
        id = progress.id
        state = progress.state == .probe ? .probe : .replicate
        match = progress.match
        next = progress.next
        inflightBytes = progress.inflightBytes
        lastContact = progress.lastContact
    }
}
