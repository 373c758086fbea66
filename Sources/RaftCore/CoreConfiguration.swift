import Basics

/// The fixed facts and limits of one core.
public struct CoreConfiguration: Hashable, Sendable {
    public var id: NodeID
    /// All voters, this node included. Static: membership changes come as configuration entries later.
    public var voters: [NodeID]
    /// An election starts between once and twice this time without a word from a leader.
    public var electionTimeout: TimeSpan = .milliseconds(500)
    /// How often an idle leader speaks.
    public var heartbeatInterval: TimeSpan = .milliseconds(75)
    /// The first election after start waits this much longer; gives a preferred node the first word.
    public var initialElectionDelay: TimeSpan = .zero
    /// Bytes under way to one follower before the leader waits for an answer.
    public var inflightBytesMax = 16 << 20
    /// Bytes in one append request (one block is always sent, whatever its size).
    public var appendBytesMax = 1 << 20
    /// Bytes of the newest blocks that the driver keeps in memory and the core may send without reading.
    public var tailBytesMax = 64 << 20
    /// Bytes proposed and not yet committed at which `acceptsProposals` turns false.
    public var uncommittedBytesMax = 64 << 20
    /// A leader whose oldest unflushed append is older than this gives up leadership.
    public var storageStallTimeout: TimeSpan = .seconds(5)

    public init(id: NodeID, voters: [NodeID]) {
        self.id = id
        self.voters = voters
    }
}

/// What recovery found on disk: everything listed is flushed.
public struct RecoveredLog: Hashable, Sendable {
    public struct TermStart: Hashable, Sendable {
        public var index: LogIndex
        public var term: Term
        public init(index: LogIndex, term: Term) {
            self.index = index
            self.term = term
        }
    }

    /// 1 when the log is whole; above it when the front was reclaimed. `lastIndex` is 0 for an empty log.
    public var firstIndex: LogIndex
    public var lastIndex: LogIndex
    /// Where each term begins, ascending; covers firstIndex ... lastIndex.
    public var termStarts: [TermStart]

    public init(firstIndex: LogIndex = LogIndex(1), lastIndex: LogIndex = .zero, termStarts: [TermStart] = []) {
        self.firstIndex = firstIndex
        self.lastIndex = lastIndex
        self.termStarts = termStarts
    }
}
