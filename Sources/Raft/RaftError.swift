import Basics
import SegmentLog

/// Why a command, a barrier or a verification was not carried out.
public enum RaftError: Error, Hashable, Sendable {
    /// This node does not lead. Ask `leader`, where it is known.
    case notLeader(leader: NodeID?)
    /// This node led when the command was proposed and leads no longer. The command may or may not be applied by a
    /// later leader: only the state machine can tell (idempotence).
    case leadershipLost
    /// More bytes wait to be committed than the configured bound allows. Nothing was proposed; try again later.
    case overloaded
    /// The command is larger than an entry may be.
    case commandTooLarge(bytes: Int, limit: Int)
    /// The local log refused a write or a flush; this node takes no further part until it is restarted.
    case storageFailed
    /// The node was shut down.
    case shutdown
}

extension RaftError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notLeader(let leader):
            leader.map { "this node does not lead; node \($0) does" }
                ?? "this node does not lead, and no leader is known"
        case .leadershipLost: "leadership was lost before the command was committed; its outcome is unknown"
        case .overloaded: "too many bytes wait to be committed; try again later"
        case .commandTooLarge(let bytes, let limit): "a command of \(bytes) bytes exceeds the limit of \(limit)"
        case .storageFailed: "the log storage failed; restart the node after repairing its disk"
        case .shutdown: "the node is shut down"
        }
    }
}
