import Basics

/// What a member of a classic group has of what its group assigned to it, and its claim to that.
///
/// Owner: its member.
final class ClassicHoldings {
    private let plan: GroupPlan
    private let reader: GroupReader
    private let groups: GroupHistory
    private(set) var claim: PartitionClaims.Claim
    /// What it was assigned by name and has not given up.
    private(set) var owned: Set<NamedPartition> = []
    /// Those of them that it knows.
    private var lanes: [NamedPartition: Lane] = [:]
    /// When what the coordinator has confirmed last was asked for.
    private var confirmed = Instant.zero
    /// When its time is over to give up what it shall not have.
    private var end = Instant.distantFuture

    init(_ name: String, _ plan: GroupPlan, _ reader: GroupReader, _ groups: GroupHistory) {
        self.plan = plan
        self.reader = reader
        self.groups = groups
        claim = PartitionClaims.Claim(name, of: plan.id)
    }

    /// A process begins.
    func begin(_ name: String) { claim = PartitionClaims.Claim(name, of: plan.id) }

    /// How long what the coordinator has confirmed holds, measured by a clock that may be a little fast.
    private var span: TimeSpan { .milliseconds(min(plan.sessionTimeout, plan.rebalanceTimeout) - 20) }

    /// Whether the group may have given all of it to others.
    var isClaimOver: Bool { groups.claims.isOver(claim) }

    func giveUpAll() {
        groups.claims.giveUpAll(of: claim)
        reader.giveUpAll()
        owned = []
        lanes = [:]
    }

    // MARK: What the coordinator says

    /// A generation begins.
    ///
    /// - Parameters:
    ///   - sent: when it was asked for what confirms it.
    ///   - end: by when the member must have given up what it shall not have.
    func begin(confirmed sent: Instant, giveUpBy end: Instant) {
        confirmed = sent
        self.end = end
        groups.claims.take([], for: claim, until: min(sent + span, end))
    }

    /// The member is still in.
    func confirm(_ sent: Instant) {
        confirmed = sent
        groups.claims.renew(claim, until: min(sent + span, end))
    }

    // MARK: Lanes

    func take(_ lanes: Set<Lane>) {
        groups.claims.take(lanes, for: claim, until: min(confirmed + span, end))
        reader.take(lanes)
    }

    /// Takes what it is assigned, and confirms what it has of that.
    func take(_ partitions: Set<NamedPartition>, _ topics: [ClusterView.Topic]) {
        owned.formUnion(partitions)
        lookUp(topics)
        take(Set(partitions.compactMap { lanes[$0] }))
    }

    /// Whether it was assigned something of a topic that it does not know yet.
    var hasUnknown: Bool { lanes.count < owned.count }

    /// Takes what it knows by now.
    func takeKnown(_ topics: [ClusterView.Topic]) {
        let before = Set(lanes.values)
        lookUp(topics)
        take(Set(lanes.values).subtracting(before))
    }

    private func lookUp(_ topics: [ClusterView.Topic]) {
        for partition in owned where lanes[partition] == nil {
            let topic = topics.first { $0.name == partition.topic && $0.partitionCount > partition.number }
            if let topic { lanes[partition] = Lane(topic: topic.id, partition: partition.number) }
        }
    }

    /// Reads it no more; the claim stands until that is told to be over.
    func stopReading(_ partitions: Set<NamedPartition>) { reader.giveUp(known(partitions)) }

    func giveUp(_ partitions: Set<NamedPartition>) {
        stopReading(partitions)
        groups.claims.giveUp(known(partitions), of: claim)
        owned.subtract(partitions)
        for partition in partitions { lanes[partition] = nil }
    }

    private func known(_ partitions: Set<NamedPartition>) -> Set<Lane> { Set(partitions.compactMap { lanes[$0] }) }
}
