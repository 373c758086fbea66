import KafkaWire
import NIOCore

/// How the members of a classic group come from one generation to the next. All of a group do it in the same way.
enum RebalanceProtocol {
    /// They give up all they have and get anew what they shall have.
    case eager
    /// They go on with what they have, and give up what they shall not have when they are told (KIP-429).
    case cooperative

    /// The ways of assigning that a member supports, the one it likes best first. All can do the last, so one is
    /// elected that not everybody likes best. They differ by name only.
    func assignors(likingFair likesFair: Bool) -> [String] {
        let common = self == .eager ? "range" : "cooperative-sticky"
        return likesFair ? ["fair", common] : [common]
    }

    /// What a leader gives to whom.
    func assignment(to members: [JoinGroupResponse.Member], of topics: [ClusterView.Topic]) -> ClassicAssignment {
        let members = members.sorted { ($0.groupInstanceID ?? $0.memberID) < ($1.groupInstanceID ?? $1.memberID) }
        let subscriptions = members.map { ClassicSubscription($0.metadata) ?? ClassicSubscription(to: [], claim: nil) }
        var withheld = 0
        let lanes: [[Lane]]
        switch self {
        case .eager: lanes = ClassicAssignment.ranges(subscriptions, topics)
        case .cooperative:
            let assignor = CooperativeStickyAssignor(subscriptions, topics)
            withheld = assignor.withheld.count
            lanes = assignor.lanes
        }
        return ClassicAssignment(
            members: zip(members, lanes).map { ($0.memberID, $1) },
            wanted: topics.filter { topic in subscriptions.contains { $0.topics.contains(topic.name) } }
                .flatMap(\.lanes).sorted(),
            withheld: withheld)
    }
}
