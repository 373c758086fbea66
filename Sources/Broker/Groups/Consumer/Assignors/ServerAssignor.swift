import KafkaWire

/// How partitions are distributed over the members of a group. The raw values are in logs.
///
/// An assignor is part of what the log means: every replica computes the same assignment from the same commands. A
/// change of an algorithm therefore takes a new case, which only commands proposed afterwards name.
public enum ServerAssignor: UInt8, Hashable, Sendable, CaseIterable {
    case uniform = 1
    case range = 2

    /// What a group uses whose members vote for none.
    public static let fallback = ServerAssignor.uniform

    /// The assignor of that name in the protocol.
    public init?(name: String) {
        guard let known = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = known
    }

    public var name: String {
        switch self {
        case .uniform: "uniform"
        case .range: "range"
        }
    }

    /// Who shall have what. Every partition with a subscriber has exactly one owner.
    func assign(_ problem: AssignmentProblem) -> AssignmentProblem.Owners {
        switch self {
        case .uniform: UniformAssignor.assign(problem)
        case .range: RangeAssignor.assign(problem)
        }
    }
}

/// What an assignor has to decide, with members and topics as small numbers.
struct AssignmentProblem {
    struct Topic {
        var partitionCount: Int
        /// The members that subscribe to the topic, in their order.
        var subscribers: [Int]
        /// The member that each partition was meant for so far; nil where there was none, or it went or unsubscribed.
        var owners: [Int?]
    }

    var memberCount: Int
    var topics: [Topic]

    /// For each topic the member that gets each partition; nil if nobody subscribes to the topic.
    typealias Owners = [[Int?]]
}
