import Basics
import NIOCore
import SegmentLog

/// The replicated state machine (hashicorp/raft's `FSM`): gets every committed command once, in log order.
///
/// Owner: the `RaftNode` it was given to, which calls it on its event loop only. It must be deterministic: the same
/// entries give the same state on every node, so it reads no clock and draws no random number.
public protocol FSM: AnyObject, SendableMetatype {
    /// What `apply` answers for one command; it resolves the `ApplyFuture` on the node that proposed it.
    associatedtype Response: Sendable

    /// Whether `apply` looks at payloads. If false, blocks may come without theirs: followers then never decompress,
    /// and replay after a start reads the heads alone.
    static var readsPayloads: Bool { get }

    /// Applies every entry of one committed block and appends one response for **each** entry, whatever its type
    /// (an entry that is not a command gets `Response` for "nothing to say").
    ///
    /// - Parameters:
    ///   - block: consecutive entries of one term. Entries whose type is not `.command` belong to Raft.
    ///   - responses: empty when called; one element per entry, in order, when the call returns.
    func apply(_ block: CommittedBlock, responses: inout [Response])
}

/// A committed block as the state machine sees it.
public struct CommittedBlock {
    public let term: Term
    /// Index of the first entry of the segment that holds it. When it changes, all that is in the segment before has
    /// been applied, and that segment is sealed.
    public let segment: LogIndex
    public let entries: BlockEntries
    /// The decompressed payload of all entries; nil for a state machine that does not read payloads.
    public let payload: BlockPayload?

    /// Public, so that a state machine can be tested without a node.
    public init(term: Term, segment: LogIndex, entries: BlockEntries, payload: BlockPayload?) {
        self.term = term
        self.segment = segment
        self.entries = entries
        self.payload = payload
    }

    /// Index of the first entry.
    public var base: LogIndex { entries.base }
    /// Index of the last entry.
    public var last: LogIndex { entries.base + (entries.count - 1) }
}

extension FSM {
    public static var readsPayloads: Bool { true }
}
