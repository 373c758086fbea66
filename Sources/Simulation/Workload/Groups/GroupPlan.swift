import Basics

/// What the members of one group have in common.
struct GroupPlan {
    /// What its members speak.
    enum Kind: String {
        case classic, consumer
        /// Some the one and some the other protocol, so that the group is converted to and fro.
        case mixed
    }

    let id: String
    /// The topics that members subscribe to; some may not be there.
    let topicNames: [String]
    /// A regular expression for the same, where the protocol knows such.
    var pattern: String?
    /// Whether offsets are committed and fetched by the topics' names, as older clients do, and not by their ids.
    let namesTopics: Bool
    let kind: Kind
    /// Of its classic members.
    var rebalanceProtocol = RebalanceProtocol.eager
    /// Shortest and longest time between two things that happen to a member.
    var fateMin = TimeSpan.seconds(1)
    var fateMax = TimeSpan.seconds(6)

    /// Where the session is longer than a rebalance may take, a static member may sleep through one and stay a member.
    var sessionTimeout = Self.consumerSessionTimeout
    var rebalanceTimeout: Milliseconds = 3_000

    static let consumerSessionTimeout: Milliseconds = 3_000
    static let sessionTimeoutMax: Milliseconds = 5_000
    static let heartbeatInterval: Milliseconds = 700

    /// Whether assignments name topics: the broker reads them, or members claim by name what they have.
    var assignsByName: Bool { kind == .mixed || rebalanceProtocol == .cooperative }

    func subscribes(to name: String) -> Bool { topicNames.contains(name) }
}

/// What happens to a member besides its work.
enum MemberFate {
    case crash
    case leave
    case pause(TimeSpan)
    case subscribeAnew
    case none

    init(_ random: inout RandomSource) {
        switch random.next() % 10 {
        case 0, 1: self = .crash
        case 2, 3: self = .leave
        case 4, 5: self = .pause(.milliseconds(Int64(200 + random.next() % 6_000)))
        case 6: self = .subscribeAnew
        default: self = .none
        }
    }
}

/// What a member shows of itself.
struct MemberStanding: Hashable {
    let name: String
    /// Generation or member epoch.
    let epoch: Int32
    let lanes: [Lane]
}

/// A member of a group, of whichever protocol.
protocol GroupMember: AnyObject {
    var plan: GroupPlan { get }
    var reader: GroupReader { get }
    func start()
    /// Nothing more happens to it: it joins if it is out, and goes on.
    func finish()
    /// Nil while it is not a member in peace.
    var standing: MemberStanding? { get }
    /// The topics that it subscribes to now.
    var subscription: [String] { get }
}
