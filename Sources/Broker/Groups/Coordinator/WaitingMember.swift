import KafkaWire
import NIOCore

/// The answer to a JoinGroup.
enum JoinAnswer {
    /// With the id that the member shall use from now on.
    case refused(ErrorCode, memberID: String)
    /// The member belongs to the group's generation.
    case joined(ClassicGroup, memberID: String, leaderID: String, skipsAssignment: Bool)
    /// The member belongs to a group of the new protocol, where nobody leads.
    case led(generation: Int32, memberID: String, protocolName: String)
}

/// A JoinGroup that waits until the next generation is made.
///
/// Owner: the `CoordinatedGroup`, until it is answered, once.
final class WaitingJoin {
    /// Whether the client understands that it may lead without assigning (KIP-814).
    let maySkipAssignment: Bool
    /// Whether the client is still connected.
    let isWanted: () -> Bool
    let answer: (JoinAnswer) -> Void
    /// Whether the join is in the state machine; before that it is not known what it waits for.
    var isApplied = false

    init(
        maySkipAssignment: Bool, isWanted: @escaping () -> Bool, answer: @escaping (JoinAnswer) -> Void
    ) {
        self.maySkipAssignment = maySkipAssignment
        self.isWanted = isWanted
        self.answer = answer
    }
}

/// The answer to a SyncGroup.
enum SyncAnswer {
    case refused(ErrorCode)
    case assigned(ByteBuffer, protocolType: String, protocolName: String?)
}

extension SyncAnswer {
    init(_ member: ClassicMember, of group: ClassicGroup) {
        self = .assigned(member.assignment, protocolType: group.protocolType, protocolName: group.protocolName)
    }
}

/// A SyncGroup that waits until the leader has assigned.
///
/// Owner: the `CoordinatedGroup`, until it is answered, once.
final class WaitingSync {
    let generation: Int32
    /// What the member sends in case it leads.
    let assignments: [ClassicSync.Assignment]
    let answer: (SyncAnswer) -> Void

    init(generation: Int32, assignments: [ClassicSync.Assignment] = [], answer: @escaping (SyncAnswer) -> Void) {
        self.generation = generation
        self.assignments = assignments
        self.answer = answer
    }
}
