import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

/// Groups that change their protocol under their members.
@Suite struct ConsumerGroupMigrationTests {
    private typealias G = ConsumerGroup
    private static let topic = G.topic(1, 4)
    private static let topics = SubscribedTopics(version: 1, topics: [topic])

    private static func join(
        _ id: String, instance: String? = nil, owning partitions: [Int32] = [], isNew: Bool = false
    ) -> ClassicJoin {
        var join = ClassicJoin.sample(id, instanceID: instance)
        join.isNew = isNew
        let owned = partitions.map { NamedPartition(topic: topic.name, partition: $0) }
        join.protocols = [.init(name: "range", metadata: .subscription(to: [topic.name], owning: owned))]
        return join
    }

    /// A stable classic group of generation 1; the first member leads.
    private static func classic(
        _ members: [(id: String, owned: [Int32], assigned: [Int32])], instance: String? = nil
    ) -> ClassicGroup {
        var group = ClassicGroup()
        for member in members {
            _ = group.apply(.join(join(member.id, instance: instance, owning: member.owned, isNew: true)))
        }
        _ = group.apply(.completeJoin(generation: 0))
        let assignments = members.map { member in
            ClassicSync.Assignment(
                memberID: member.id,
                assignment: ConsumerAssignment(
                    member.assigned.map { NamedPartition(topic: topic.name, partition: $0) }
                ).encoded(version: 1))
        }
        _ = group.apply(
            .sync(ClassicSync(memberID: members[0].id, generation: 1, assignments: assignments)))
        return group
    }

    private static func converted() throws -> ConsumerGroup {
        try #require(ConsumerGroup(converting: classic([("a", [], [0, 1]), ("b", [], [2, 3])]), topics))
    }

    private static func heartbeat(_ group: ConsumerGroup, _ id: String, _ generation: Int32) -> ErrorCode? {
        group.refusalOfHeartbeat(GroupMemberIdentity(id), generation: generation)
    }

    @Test func `members keep what they have, and need not rejoin for the conversion alone`() throws {
        let group = try Self.converted()
        #expect(group.assigned("a") == G.partitions(1, [0, 1]) && group.assigned("b") == G.partitions(1, [2, 3]))
        #expect(group.members["a"]?.epoch == 1 && group.epoch == 2 && group.state == .stable)
        #expect(Self.heartbeat(group, "a", 1) == nil && Self.heartbeat(group, "a", 0) == .illegalGeneration)
        #expect(group.reasonToRefuseCommit(memberID: "a", memberEpoch: 1, G.keys(1, [0])) == nil)
        #expect(group.reasonToRefuseCommit(memberID: "a", memberEpoch: 0, G.keys(1, [0])) == .illegalGeneration)
    }

    @Test func `an eager member gives up for a new one as soon as it syncs, not when it joins`() throws {
        var group = try Self.converted()
        #expect(try group.send(G.join("n", to: [Self.topic])).assignment == [])
        let moved = try #require(group.target(of: "n").first)
        let loser = try #require(group.owners[moved])
        #expect(Self.heartbeat(group, loser, 1) == .rebalanceInProgress)
        let joined = try #require(try group.apply(.classicJoin(Self.join(loser), Self.topics)).get())
        #expect(joined.memberEpoch > 1 && group.owners[moved] == loser)
        let kept = G.keys(1, group.assigned(loser).map(\.partition))
        #expect(group.reasonToRefuseCommit(memberID: loser, memberEpoch: 1, kept) == .rebalanceInProgress)
        #expect(try group.send(G.beat("n", group.members["n"]?.epoch ?? 0)).assignment == nil)
        let synced = try #require(
            try group.apply(.classicSync(memberID: loser, epoch: joined.memberEpoch)).get())
        #expect(synced.assignment?.contains(moved) == false && group.owners[moved] == nil)
        // Sent late, it could take back what the member has committed of the same partition since.
        #expect(group.reasonToRefuseCommit(memberID: loser, memberEpoch: 1, kept) == .illegalGeneration)
        #expect(try group.send(G.beat("n", group.members["n"]?.epoch ?? 0)).assignment == [moved])
        #expect(Self.heartbeat(group, loser, joined.memberEpoch) == nil)
    }

    @Test func `a cooperative member has what it says that it has, until it joins without it`() throws {
        var group = try Self.converted()
        _ = try group.send(G.join("n", to: [Self.topic]))
        let moved = try #require(group.target(of: "n").first)
        let loser = try #require(group.owners[moved]), owned = group.assigned(loser).map(\.partition)
        let first = try #require(
            try group.apply(.classicJoin(Self.join(loser, owning: owned), Self.topics)).get())
        _ = group.apply(.classicSync(memberID: loser, epoch: first.memberEpoch))
        #expect(group.owners[moved] == loser)
        #expect(group.refusalOfAssignment(to: loser) == nil, "by its assignment it learns what to give up")
        #expect(Self.heartbeat(group, loser, first.memberEpoch) == .rebalanceInProgress)
        let kept = owned.filter { $0 != moved.partition }
        let second = try #require(try group.apply(.classicJoin(Self.join(loser, owning: kept), Self.topics)).get())
        #expect(group.owners[moved] == loser)
        _ = group.apply(.classicSync(memberID: loser, epoch: second.memberEpoch))
        #expect(group.owners[moved] == nil && Self.heartbeat(group, loser, second.memberEpoch) == nil)
    }

    @Test func `a member for whom others wait is told to join again when it syncs`() throws {
        var group = try Self.converted()
        #expect(group.refusalOfAssignment(to: "a") == nil && group.refusalOfAssignment(to: "b") == nil)
        _ = try group.send(G.join("n", to: [Self.topic]))
        let moved = try #require(group.target(of: "n").first), loser = try #require(group.owners[moved])
        #expect(group.refusalOfAssignment(to: loser) == .rebalanceInProgress)
    }

    @Test func `a JoinGroup that comes late gives up nothing`() throws {
        var group = try Self.converted()
        _ = try group.send(G.join("n", to: [Self.topic]))
        let moved = try #require(group.target(of: "n").first), loser = try #require(group.owners[moved])
        let late = try #require(try group.apply(.classicJoin(Self.join(loser), Self.topics)).get())
        // The member never heard of that generation; it is in its old one.
        #expect(throws: ConsumerGroupRefusal.self) {
            try group.apply(.classicSync(memberID: loser, epoch: late.memberEpoch - 1)).get()
        }
        #expect(group.owners[moved] == loser)
        #expect(Self.heartbeat(group, loser, 1) == .illegalGeneration)
    }

    @Test func `what a cooperative member was asked to give up before the conversion is still its own`() throws {
        let classic = Self.classic([("a", [0, 1, 2], [0, 1]), ("b", [3], [3])])
        var group = try #require(ConsumerGroup(converting: classic, Self.topics))
        let held = TopicIDPartition(G.id(1), 2)
        #expect(group.owners[held] == "a" && Self.heartbeat(group, "a", 1) == .rebalanceInProgress)
        // It may ask for its assignment only now.
        _ = group.apply(.classicSync(memberID: "a", epoch: 1))
        #expect(group.owners[held] == "a")
        _ = try group.send(G.join("n", to: [Self.topic]))
        #expect(group.owners[held] == "a")
    }

    @Test func `a static member that comes back under another id still has what it was asked to give up`() throws {
        let classic = Self.classic([("a", [0, 1, 2], [0, 1])], instance: "i")
        var group = try #require(ConsumerGroup(converting: classic, Self.topics))
        let held = TopicIDPartition(G.id(1), 2)
        #expect(group.members["a"]?.revoking[held] != nil)
        let join = Self.join("c", instance: "i", isNew: true)
        let joined = try #require(try group.apply(.classicJoin(join, Self.topics)).get())
        #expect(group.owners[held] == "c")
        _ = group.apply(.classicSync(memberID: "c", epoch: joined.memberEpoch))
        #expect(group.assigned("c") == G.partitions(1, 0..<4) && group.state == .stable)
    }

    @Test func `a group that rebalances, or speaks another language, is not converted`() {
        var preparing = Self.classic([("a", [], [0])])
        _ = preparing.apply(.join(Self.join("c", isNew: true)))
        #expect(ConsumerGroup(converting: preparing, Self.topics) == nil)
        var strange = ClassicGroup()
        _ = strange.apply(.join(.sample("a")))
        _ = strange.apply(.completeJoin(generation: 0))
        _ = strange.apply(.sync(.sample("a", generation: 1, ["a": "mine"])))
        #expect(strange.state == .stable && ConsumerGroup(converting: strange, Self.topics) == nil)
    }

    @Test func `a group is not converted while members have partitions of a topic that is not known`() {
        let unknown = SubscribedTopics(version: 1, topics: [])
        let assigned = Self.classic([("a", [], [0, 1]), ("b", [], [2, 3])])
        #expect(ConsumerGroup(converting: assigned, unknown) == nil, "others would get them when it is known")
        let givingUp = Self.classic([("a", [0], []), ("b", [], [])])
        #expect(ConsumerGroup(converting: givingUp, unknown) == nil, "it may still have what it is to give up")
        let idle = Self.classic([("a", [], []), ("b", [], [])])
        #expect(ConsumerGroup(converting: idle, unknown) != nil, "nobody has any")
    }

    @Test func `when the last member of the new protocol leaves, the others go on with the classic one`() throws {
        var table = GroupTable()
        func apply(_ action: GroupCommand.Action) -> CommandResult {
            table.apply(GroupCommand("g", at: 0, action), isAlive: { _ in true })
        }
        _ = apply(.consumer(.heartbeat(G.join("n", to: [Self.topic]))))
        _ = apply(.consumer(.classicJoin(Self.join("c", isNew: true), Self.topics)))
        let generation = try #require(table["g"]?.consumer?.members["c"]?.epoch)
        #expect(apply(.consumer(.revert)) == .none && table["g"]?.consumer != nil, "a member of the new one is there")
        _ = apply(.consumer(.leave(ConsumerGroupLeave(memberID: "n", instanceID: nil, isTemporary: false))))
        _ = apply(.consumer(.revert))
        let classic = try #require(table["g"]?.classic), member = GroupMemberIdentity("c")
        #expect(classic.state == .preparingRebalance && classic.protocolType == "consumer")
        #expect(classic.refusalOfHeartbeat(member, generation: generation) == .rebalanceInProgress)
        #expect(classic.refusalToCommit(member, generation: generation) == nil, "what it has read until now")
        _ = apply(.classic(.join(Self.join("c"))))
        _ = apply(.classic(.completeJoin(generation: classic.generation)))
        let next = try #require(table["g"]?.classic)
        #expect(next.state == .completingRebalance && next.generation == classic.generation + 1)
        #expect(next.refusalToCommit(member, generation: generation) == .illegalGeneration)
    }

    @Test func `a static member changes its protocol when its program does, with all that it has`() throws {
        let former = Self.classic([("a", [], [0, 1, 2, 3])], instance: "i")
        var group = try #require(ConsumerGroup(converting: former, Self.topics))
        let back = try group.send(G.join("n", to: [Self.topic], instance: "i"))
        #expect(back.assignment?.count == 4 && group.members["a"] == nil && group.members["n"]?.classic == nil)
        #expect(group.refusal(of: GroupMemberIdentity("a", instanceID: "i")) == .fencedInstanceID)
        // The other way round it must have left, as such members do.
        #expect(group.refusal(of: Self.join("c", instance: "i", isNew: true)) == .unreleasedInstanceID)
        try group.leave("n", instance: "i", isTemporary: true)
        _ = group.apply(.classicJoin(Self.join("c", instance: "i", isNew: true), Self.topics))
        #expect(group.assigned("c").count == 4 && group.isClassicOnly)
    }

    @Test func `who cannot be understood is refused`() throws {
        let group = try Self.converted()
        #expect(group.refusal(of: Self.join("c", isNew: true)) == nil)
        #expect(group.refusal(of: Self.join("c")) == .unknownMemberID)
        #expect(group.refusal(of: .sample("c", type: "connect")) == .inconsistentGroupProtocol)
        #expect(group.refusal(of: .sample("c", protocols: ["other"])) == .inconsistentGroupProtocol)
        #expect(group.refusal(of: .sample("c", sizeMax: 2)) == .groupMaxSizeReached)
    }

    @Test func `subscriptions are read to the end, and assignments written as they are read`() {
        let partitions = [NamedPartition(topic: "t", partition: 1), NamedPartition(topic: "ß", partition: 0)]
        let whole = ByteBuffer.subscription(to: ["t"], owning: partitions)
        #expect(ConsumerSubscription(whole)?.owned == partitions)
        for length in 0..<whole.readableBytes {
            #expect(ConsumerSubscription(whole.getSlice(at: 0, length: length) ?? ByteBuffer()) == nil)
        }
        #expect(ConsumerAssignment(ConsumerAssignment(partitions).encoded(version: 9))?.partitions == partitions)
        #expect(ConsumerAssignment(ByteBuffer())?.partitions == [])
    }

    @Test(arguments: 0..<150 as Range<UInt64>)
    func `no two clients read one partition while the group changes its protocol under them`(seed: UInt64) {
        let model = MigrationModel(seed: seed)
        for _ in 0..<600 { model.step() }
        let rounds = model.roundsToSettle(limit: 80)
        #expect(rounds != nil, "\(String(describing: model.table["g"]?.membership))")
    }

    @Test func `the model's groups are converted and go back`() {
        var conversions = 0, reversions = 0
        for seed in 0..<20 as Range<UInt64> {
            let model = MigrationModel(seed: seed)
            for _ in 0..<600 { model.step() }
            conversions += model.conversions
            reversions += model.reversions
        }
        #expect(conversions > 20 && reversions > 20, "\(conversions) and \(reversions)")
    }
}
