import NIOCore

/// Whom a group waits for before its members have the partitions they shall have: for people who wonder why nothing
/// is read.
struct GroupHoldUp {
    enum Missing: String {
        case join = "join again"
        case assignment = "send the assignment"
        case revocation = "give up partitions"
    }

    struct Member: Hashable {
        var id: String
        var clientID: String
    }

    var members: [Member]
    var missing: Missing
    /// How long already, since this coordinator took office at the longest.
    var elapsed: TimeAmount

    /// A coordinator waits for ten thousand members perhaps; nobody reads so many names.
    private static let namesMax = 10

    var text: String {
        let names = members.prefix(Self.namesMax).map { "\($0.id) (client \($0.clientID))" }.joined(separator: ", ")
        let rest = members.count > Self.namesMax ? " and \(members.count - Self.namesMax) more" : ""
        return "held up for \(elapsed.nanoseconds / 1_000_000_000) s by \(names)\(rest), who must \(missing.rawValue)"
    }
}

extension GroupCoordinator {
    /// Whom the group waits for; nil while it waits for nobody.
    func holdUp(of groupID: String) -> GroupHoldUp? {
        if let classic = classic(groupID) {
            return existingCoordinatedGroup(groupID)?.holdUp(of: classic, now: now)
        }
        return consumers.holdUp(of: groupID)
    }
}
