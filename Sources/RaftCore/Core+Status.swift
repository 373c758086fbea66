import Basics

/// What the driver may know. Everything here is a plain reading of the state after the last step.
extension Core {
    public var configuration: CoreConfiguration { replica.configuration }

    public var status: Status {
        switch role {
        case .follower(let follower): Status(role: .follower, term: replica.term, leader: follower.leader)
        case .preCandidate: Status(role: .preCandidate, term: replica.term, leader: nil)
        case .candidate: Status(role: .candidate, term: replica.term, leader: nil)
        case .leader: Status(role: .leader, term: replica.term, leader: replica.id)
        }
    }

    /// Term and vote as decided; they may still be on their way to stable storage.
    public var hardState: HardState { replica.hardState }

    public var commitIndex: LogIndex { replica.commitIndex }

    /// The end of the local log, flushed or not.
    public var lastIndex: LogIndex { replica.log.lastIndex }

    /// How far the local log is on stable storage.
    public var flushedIndex: LogIndex { replica.log.flushedIndex }

    /// The number of truncations of the local log so far.
    public var storageEpoch: StorageEpoch { replica.log.storageEpoch }

    /// Blocks from here on may be sent at any time and must be kept in memory; older ones are asked for with
    /// `Action.readBlocks`. One past the last index when the tail is empty.
    public var tailFirstIndex: LogIndex { replica.log.tailFirstIndex }

    /// Whether this server leads and has less than `uncommittedBytesMax` that is not yet committed and flushed here.
    /// Proposals beyond it are taken all the same: the driver decides what to do with its clients.
    public var acceptsProposals: Bool {
        guard case .leader(let leader) = role else { return false }
        return leader.pendingBytes < replica.configuration.uncommittedBytesMax
    }

    /// The term of an entry of the local log; nil when it is not there. Index 0 has term 0.
    public func term(at index: LogIndex) -> Term? { replica.log.term(at: index) }

    /// The leader's view of its followers; empty on any other server.
    public var peers: [PeerStatus] {
        guard case .leader(let leader) = role else { return [] }
        return leader.peers.map(PeerStatus.init)
    }

    /// When the next `Event.tick` can matter; ticks before it do nothing.
    public var nextDeadline: Instant {
        if isHalted { return .distantFuture }
        switch role {
        case .follower(let follower): return follower.deadline
        case .preCandidate(let campaign), .candidate(let campaign): return campaign.deadline
        case .leader(let leader):
            let stall = replica.log.unflushedSince.map { $0 + configuration.storageStallTimeout } ?? .distantFuture
            return min(leader.heartbeatDue, leader.leaseEnd(configuration), stall)
        }
    }
}
