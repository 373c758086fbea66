import Basics

/// The groups of one world.
///
/// Owner: the `Workload`.
final class GroupWorkload {
    /// After that a group without news has no member left whose process has ended.
    static let deathMax = TimeSpan.milliseconds(GroupPlan.sessionTimeoutMax + 2 * GroupPlan.heartbeatInterval)

    let history: GroupHistory
    private let members: [any GroupMember]

    init(_ options: WorkloadOptions, in world: World, _ history: History) {
        let groups = GroupHistory(in: world, history)
        self.history = groups
        var random = world.random.fork("groups")
        var members: [any GroupMember] = []
        let kinds = Array(repeating: GroupPlan.Kind.classic, count: options.classicGroups)
            + Array(repeating: .consumer, count: options.consumerGroups)
            + Array(repeating: .mixed, count: options.mixedGroups)
        for (number, kind) in kinds.enumerated() {
            var plan = Self.plan("\(kind)-\(number)", kind, &random)
            // Drawn apart, so that an eager group is what it was before there were others.
            var draw = world.random.fork("rebalance protocol of \(plan.id)")
            if draw.next() % 2 == 0 { plan.rebalanceProtocol = .cooperative }
            // All members must mean the same by a name.
            if plan.assignsByName { plan.topicNames.forEach { _ = history.pin($0) } }
            for position in 0..<1 + Int(random.next() % UInt64(max(1, options.groupMembersMax))) {
                let name = "\(plan.id)-member-\(position)", isStatic = random.next() % 4 == 0
                let isClassic = kind == .classic || kind == .mixed && random.next() % 2 == 0
                members.append(
                    isClassic
                        ? GroupMemberActor(name, plan, isStatic: isStatic, in: world, history, groups)
                        : ConsumerProtocolMemberActor(name, plan, isStatic: isStatic, in: world, history, groups))
            }
        }
        self.members = members
    }

    private static func plan(_ id: String, _ kind: GroupPlan.Kind, _ random: inout RandomSource) -> GroupPlan {
        let count = 1 + Int(random.next() % 4), pattern = "topic-[1-\(count)]"
        var plan = GroupPlan(
            id: id, topicNames: (1...count).map { "topic-\($0)" }, pattern: nil,
            namesTopics: random.next() % 3 == 0, kind: kind)
        if kind != .classic, random.next() % 3 == 0 { plan.pattern = pattern }
        if random.next() % 3 == 0 { plan.fateMax = .seconds(20) }
        if kind == .classic, random.next() % 2 == 0 {
            plan.sessionTimeout = GroupPlan.sessionTimeoutMax
            plan.rebalanceTimeout = 1_500
        }
        return plan
    }

    var isEmpty: Bool { members.isEmpty }

    func start() {
        for member in members { member.start() }
    }

    func finish() {
        for member in members { member.finish() }
    }

    private var plans: [GroupPlan] {
        var seen: Set<String> = []
        return members.map(\.plan).filter { seen.insert($0.id).inserted }
    }

    /// Why the groups are not at peace, with all partitions assigned, read to the end and committed.
    ///
    /// - Parameter lanes: that there are.
    func unsettled(_ lanes: [(lane: Lane, name: String)]) -> String? {
        for plan in plans {
            let members = members.filter { $0.plan.id == plan.id }
            let standings = members.compactMap(\.standing)
            guard standings.count == members.count else {
                return "group \(plan.id): \(standings.count) of \(members.count) members are in"
            }
            if plan.kind == .classic, Set(standings.map(\.epoch)).count > 1 {
                return "group \(plan.id): members of different generations"
            }
            let subscribed = Set(members.flatMap(\.subscription))
            let wanted = Set(lanes.filter { subscribed.contains($0.name) }.map(\.lane))
            let missing = wanted.subtracting(standings.flatMap(\.lanes))
            if let lane = missing.min() { return "group \(plan.id): nobody has \(lane)" }
            for member in members {
                if let backlog = member.reader.backlog { return "group \(plan.id): \(backlog)" }
            }
        }
        return nil
    }

    /// Who is in which group, in which generation or epoch, with which lanes.
    var standings: [String: MemberStanding] {
        let known = members.compactMap { member in member.standing.map { ("\(member.plan.id) \($0.name)", $0) } }
        return Dictionary(uniqueKeysWithValues: known)
    }

    /// A lane was read from its beginning to its end: whoever subscribes to it must have read it too.
    func check(_ lane: Lane, name: String, end: Int64, renewed: Set<String>) -> String? {
        for member in members where member.subscription.contains(name) {
            if member.plan.namesTopics, renewed.contains(name) { continue }
            if !history.hasRead(member.plan.id, lane, to: end) {
                return "group \(member.plan.id), \(lane): not all was read up to \(end)"
            }
        }
        return nil
    }
}
