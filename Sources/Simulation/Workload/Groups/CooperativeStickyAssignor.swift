/// Deals partitions out so that members keep what they have where that is fair, and gives nobody what another still
/// claims: that is withheld, its owner gives it up and joins again, and the next generation hands it over.
struct CooperativeStickyAssignor {
    private let subscriptions: [ClassicSubscription]
    private var subscribers: [Lane: [Int]] = [:]
    /// Who claims it. What a member claims as of an older generation than another is not its any more. This goes by
    /// partition: a member that missed the answer by which it joined a generation still has the rest.
    private var claimants: [Lane: [Int]] = [:]
    /// Who shall have it.
    private var owners: [Lane: Int] = [:]
    private var loads: [Int]

    init(_ subscriptions: [ClassicSubscription], _ topics: [ClusterView.Topic]) {
        self.subscriptions = subscriptions
        loads = Array(repeating: 0, count: subscriptions.count)
        let all = topics.sorted { $0.name < $1.name }.flatMap { topic in
            topic.lanes.map { (lane: $0, partition: NamedPartition(topic: topic.name, number: $0.partition)) }
        }
        for (lane, partition) in all {
            subscribers[lane] = subscriptions.indices.filter { subscriptions[$0].topics.contains(partition.topic) }
            claimants[lane] = Self.claimants(of: partition, subscriptions)
        }
        let lanes = all.map(\.lane).filter { subscribers[$0]?.isEmpty == false }
        for lane in lanes { keep(lane) }
        for lane in lanes where owners[lane] == nil { giveToLeast(lane) }
        while lanes.contains(where: { balance($0) }) {}
    }

    /// What each member gets.
    var lanes: [[Lane]] {
        var lanes = Array(repeating: [Lane](), count: subscriptions.count)
        let withheld = Set(withheld)
        for (lane, owner) in owners where !withheld.contains(lane) { lanes[owner].append(lane) }
        return lanes.map { $0.sorted() }
    }

    /// What has to be given up first.
    var withheld: [Lane] {
        owners.filter { lane, owner in claimants[lane]?.contains { $0 != owner } == true }.keys.sorted()
    }

    private static func claimants(of partition: NamedPartition, _ subscriptions: [ClassicSubscription]) -> [Int] {
        let claims = subscriptions.enumerated().compactMap { member, subscription in
            subscription.claim.flatMap { claim in
                claim.partitions.contains(partition) ? (member: member, generation: claim.generation) : nil
            }
        }
        let newest = claims.map(\.generation).max()
        return claims.filter { $0.generation == newest }.map(\.member)
    }

    private mutating func give(_ lane: Lane, to member: Int) {
        if let former = owners.updateValue(member, forKey: lane) { loads[former] -= 1 }
        loads[member] += 1
    }

    private mutating func keep(_ lane: Lane) {
        guard let claimants = claimants[lane], claimants.count == 1, subscribers[lane]?.contains(claimants[0]) == true
        else { return }
        give(lane, to: claimants[0])
    }

    private func leastSubscriber(of lane: Lane) -> Int? {
        subscribers[lane]?.min { (loads[$0], $0) < (loads[$1], $1) }
    }

    private mutating func giveToLeast(_ lane: Lane) {
        if let member = leastSubscriber(of: lane) { give(lane, to: member) }
    }

    /// - Returns: whether it was moved to somebody who has at least two less.
    private mutating func balance(_ lane: Lane) -> Bool {
        guard let owner = owners[lane], let least = leastSubscriber(of: lane), loads[owner] - loads[least] >= 2 else {
            return false
        }
        give(lane, to: least)
        return true
    }
}
