import Basics
import KafkaWire
import NIOCore

/// One thing asked of a consumer group.
public struct GroupCommand: Hashable, Sendable {
    public var groupID: String
    /// The leader's wall clock when it proposed this. Time enters a group only so.
    public var proposedAt: Milliseconds
    public var action: Action

    public enum Action: Hashable, Sendable {
        case commitOffsets(OffsetCommit)
        case deleteOffsets([PartitionKey])
        /// Forgets what was committed longer ago than `retention`, and the group if nothing is left of it.
        case expireOffsets(retention: Milliseconds)
        case delete
        case classic(ClassicGroupCommand)
        case consumer(ConsumerGroupCommand)
    }

    public init(_ groupID: String, at proposedAt: Milliseconds, _ action: Action) {
        self.groupID = groupID
        self.proposedAt = proposedAt
        self.action = action
    }
}

extension GroupCommand: CustomStringConvertible {
    /// For people who read a log.
    public var description: String { "group \(groupID): \(action)" }
}

extension GroupCommand.Action: CustomStringConvertible {
    public var description: String {
        switch self {
        case .commitOffsets(let commit): "commit \(commit.offsets.count) offsets, generation \(commit.generation)"
        case .deleteOffsets(let partitions): "delete \(partitions.count) offsets"
        case .expireOffsets(let retention): "expire offsets older than \(retention) ms"
        case .delete: "delete"
        case .classic(.join(let join)): "join of \(join.member.memberID)"
        case .classic(.completeJoin(let generation)): "complete join after generation \(generation)"
        case .classic(.sync(let sync)): "assignments of generation \(sync.generation) by \(sync.memberID)"
        case .classic(.remove(let memberIDs)): "remove \(memberIDs.joined(separator: ", "))"
        case .consumer(.heartbeat(let heartbeat)): "heartbeat of \(heartbeat.memberID) at \(heartbeat.memberEpoch)"
        case .consumer(.leave(let leave)): "\(leave.memberID) leaves\(leave.isTemporary ? " for a while" : "")"
        case .consumer(.expire(let memberID, let epoch)): "expire \(memberID) at \(epoch)"
        case .consumer(.topicsChanged(let topics)): "topics at \(topics.version): \(topics.topics.count)"
        case .consumer(.convert): "convert to the new protocol"
        case .consumer(.revert): "revert to the classic protocol"
        case .consumer(.classicJoin(let join, _)): "join of \(join.member.memberID)"
        case .consumer(.classicSync(let memberID, let epoch)): "sync of \(memberID) at \(epoch)"
        }
    }
}

/// Stores how far a group has come.
public struct OffsetCommit: Hashable, Sendable {
    /// Who commits: the protocol's three fields, checked again when the command is applied.
    public var member: GroupMemberIdentity
    /// -1 for a consumer that is no member; of a member the group's generation or the member's epoch.
    public var generation: Int32
    /// When the offsets may be forgotten, milliseconds since 1970; -1: as the broker's retention says.
    public var expiresAt: Milliseconds
    public var offsets: [Entry]

    public struct Entry: Hashable, Sendable {
        public var partition: PartitionKey
        public var offset: Int64
        public var leaderEpoch: Int32
        public var metadata: String
    }
}

/// What a request says about its sender.
public struct GroupMemberIdentity: Hashable, Sendable {
    /// Empty for one that has no id.
    public var memberID: String
    /// Of a static member (KIP-345).
    public var instanceID: String?

    public init(_ memberID: String, instanceID: String? = nil) {
        self.memberID = memberID
        self.instanceID = instanceID
    }
}

/// What changes the membership of a group of the classic protocol.
public enum ClassicGroupCommand: Hashable, Sendable {
    case join(ClassicJoin)
    /// Ends the wait for members to rejoin, if the group still is in this generation.
    case completeJoin(generation: Int32)
    /// The leader's assignments.
    case sync(ClassicSync)
    /// Members left, or their time is up.
    case remove(memberIDs: [String])
}

/// A JoinGroup request as the state machine needs it.
public struct ClassicJoin: Hashable, Sendable {
    public var member: GroupMemberIdentity
    /// Whether the coordinator gave out the member's id and vouches that it is nobody else's.
    public var isNew: Bool
    public var clientID: String
    public var clientHost: String
    /// Milliseconds, as the next.
    public var sessionTimeout: Int32
    public var rebalanceTimeout: Int32
    public var protocolType: String
    public var protocols: [SupportedProtocol]
    /// Most members the group may have, as the proposing leader is configured.
    public var sizeMax: Int32

    /// A way of assigning that a member supports, with what the member says for it.
    public struct SupportedProtocol: Hashable, Sendable {
        public var name: String
        public var metadata: ByteBuffer

        public init(name: String, metadata: ByteBuffer) {
            self.name = name
            self.metadata = metadata
        }
    }
}

/// The assignments that a group's leader made.
public struct ClassicSync: Hashable, Sendable {
    public var memberID: String
    public var generation: Int32
    public var assignments: [Assignment]

    public struct Assignment: Hashable, Sendable {
        public var memberID: String
        public var assignment: ByteBuffer

        public init(memberID: String, assignment: ByteBuffer) {
            self.memberID = memberID
            self.assignment = assignment
        }
    }
}
