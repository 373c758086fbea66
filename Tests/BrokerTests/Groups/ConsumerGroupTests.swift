import Basics
import KafkaWire
import Testing

@testable import Broker

@Suite struct ConsumerGroupTests {
    private typealias G = ConsumerGroup
    private let t1 = G.topic(1, 4)

    private func group(_ members: String...) throws -> ConsumerGroup {
        var group = ConsumerGroup()
        for member in members {
            _ = try group.send(G.join(member, to: [t1]))
            try group.settle()
        }
        return group
    }

    private func code(_ body: () throws -> some Any) -> ErrorCode {
        do {
            _ = try body()
            return .none
        } catch {
            return (error as? ConsumerGroupRefusal)?.code ?? .unknownServerError
        }
    }

    // MARK: Joining

    @Test func `the first member gets everything with the answer to its join`() throws {
        var group = ConsumerGroup()
        #expect(group.state == .empty)
        let answer = try group.send(G.join("a", to: [t1]))
        #expect(answer.memberEpoch == 1 && answer.isReconciled)
        #expect(answer.assignment == G.partitions(1, 0..<4))
        #expect(group.epoch == 1 && group.state == .stable)
    }

    @Test func `a second member gets partitions when the first has given them up, and not before`() throws {
        var group = try group("a")
        let joined = try group.send(G.join("b", to: [t1]))
        #expect(joined.assignment == [] && !joined.isReconciled && group.state == .reconciling)

        // The first one learns what to give up with its next heartbeat, under a new epoch.
        let asked = try group.send(G.beat("a", 1))
        #expect(asked.memberEpoch == 2 && asked.assignment == G.partitions(1, 0..<2))
        // It says nothing, then that it still has everything: nothing changes.
        #expect(try group.send(G.beat("a", 2)).memberEpoch == 2)
        _ = try group.send(G.beat("a", 2, owned: G.partitions(1, 0..<4)))
        #expect(try group.send(G.beat("b", 2)).assignment == nil)

        // It has given them up.
        #expect(try group.send(G.beat("a", 2, owned: G.partitions(1, 0..<2))).isReconciled)
        let given = try group.send(G.beat("b", 2))
        #expect(given.assignment == G.partitions(1, 2..<4) && given.memberEpoch == 3 && given.isReconciled)
        #expect(group.state == .stable)
    }

    @Test func `an answer that was lost is repeated and acknowledges nothing`() throws {
        var group = try group("a")
        #expect(try group.send(G.join("b", to: [t1])).memberEpoch == 2)
        let again = try group.send(G.join("b", to: [t1]))
        #expect(again.memberEpoch == 2 && again.assignment == [] && group.members.count == 2)

        _ = try group.send(G.beat("a", 1))
        let repeated = try group.send(G.beat("a", 1, owned: []))
        #expect(repeated.memberEpoch == 2 && repeated.assignment == G.partitions(1, 0..<2))
        #expect(try group.send(G.beat("b", 2)).assignment == nil)
    }

    @Test func `a late heartbeat does not bring back the subscription before`() throws {
        var group = try group("a")
        var late = G.beat("a", 1)
        late.topicNames = ["t1"]
        late.topics = SubscribedTopics(topics: [t1])
        let other = G.topic(2, 2)
        var renewed = G.beat("a", 1, owned: G.partitions(1, 0..<4))
        renewed.topicNames = ["t2"]
        renewed.topics = SubscribedTopics(topics: [other])
        #expect(try group.send(renewed).memberEpoch == 2)
        #expect(code { try group.send(late) } == .fencedMemberEpoch)
        #expect(group.members["a"]?.topicNames == ["t2"])
        // Not even while the member has something to give up, when it cannot get what is new.
        var again = G.beat("a", 2, owned: G.partitions(1, 0..<4))
        again.topicNames = ["t1", "t2"]
        again.topics = SubscribedTopics(topics: [t1, other])
        #expect(try group.send(again).memberEpoch == 3)
        late.memberEpoch = 2
        #expect(code { try group.send(late) } == .fencedMemberEpoch)
        #expect(group.members["a"]?.topicNames == ["t1", "t2"])
        try group.settle()
        #expect(group.assigned("a") == G.partitions(1, 0..<4) + G.partitions(2, 0..<2))
        // The same once more is a repetition.
        let before = try #require(group.members["a"]?.previousEpoch)
        again.memberEpoch = before
        #expect(code { try group.send(again) } == .none)
    }

    /// It has as many partitions as it shall have, under the newest epoch, but not the right ones (seed 91013031).
    @Test func `a member that changed its mind while it joined gets what it wants now`() throws {
        let old = G.topic(1, 1), new = G.topic(2, 1)
        var group = ConsumerGroup()
        _ = try group.send(G.join("a", to: [old]))
        let joined = try group.send(G.join("a", to: [new]))
        #expect(joined.assignment == G.partitions(1, [0]) && !joined.isReconciled)
        let asked = try group.send(G.beat("a", joined.memberEpoch, owned: G.partitions(1, [0])))
        #expect(asked.assignment == [])
        let given = try group.send(G.beat("a", asked.memberEpoch, owned: []))
        #expect(given.assignment == G.partitions(2, [0]) && given.isReconciled)
    }

    @Test func `a late join that wanted something else is undone by the member itself`() throws {
        let other = G.topic(2, 2)
        var group = ConsumerGroup()
        #expect(try group.send(G.join("a", to: [t1])).memberEpoch == 1)
        // To the one who sent this, if it waits for the answer, the group is what it asked for.
        #expect(try group.send(G.join("a", to: [other])).memberEpoch == 2)
        #expect(group.members["a"]?.topicNames == ["t2"] && group.owners.count == 4, "nothing is given up by a join")
        // Or else the member has gone on.
        #expect(code { try group.send(G.beat("a", 1)) } == .fencedMemberEpoch)
        #expect(try group.send(G.join("a", to: [t1])).memberEpoch == 3)
        try group.settle()
        #expect(group.assigned("a") == G.partitions(1, 0..<4) && group.state == .stable)
    }

    @Test func `a member that joins again gets its partitions back when it shows that it knows its new epoch`() throws {
        var group = try group("a", "b")
        try group.settle()
        let before = try #require(group.members["a"]), held = group.assigned("a")
        let answer = try group.send(G.join("a", to: [t1]))
        #expect(answer.memberEpoch > before.epoch && answer.assignment == [])
        #expect(held.allSatisfy { group.owners[$0] == "a" }, "a join may be late, and the member read on")
        // Then the member hears of it, and that it must join itself. Its join is a repetition.
        #expect(code { try group.send(G.beat("a", before.epoch, owned: held)) } == .fencedMemberEpoch)
        #expect(try group.send(G.join("a", to: [t1])).memberEpoch == answer.memberEpoch)
        // Clients say nothing of what they have when it is as before.
        #expect(try group.send(G.beat("a", answer.memberEpoch)).assignment == held)
    }

    @Test func `what a late heartbeat wanted is undone by the member itself`() throws {
        var group = try group("a")
        var late = G.beat("a", 1, owned: [])
        late.rebalanceTimeout = 60_000
        late.topicNames = []
        #expect(try group.send(late).memberEpoch == 2)
        // Whose answer was lost says all again; one that says less does not know what it is said to want.
        #expect(code { try group.send(late) } == .none)
        #expect(code { try group.send(G.beat("a", 1)) } == .fencedMemberEpoch)
        _ = try group.send(G.join("a", to: [t1]))
        try group.settle()
        #expect(group.assigned("a") == G.partitions(1, 0..<4))
    }

    @Test func `an epoch that is neither the newest nor the one before is fenced`() throws {
        var group = try group("a", "b", "c")
        let epoch = try #require(group.members["a"]?.epoch)
        #expect(code { try group.send(G.beat("a", epoch + 1)) } == .fencedMemberEpoch)
        #expect(code { try group.send(G.beat("a", 1)) } == .fencedMemberEpoch)
        // The epoch before, with partitions that it cannot have had.
        let before = try #require(group.members["a"]?.previousEpoch)
        #expect(code { try group.send(G.beat("a", before, owned: G.partitions(9, 0..<1))) } == .fencedMemberEpoch)
        #expect(code { try group.send(G.beat("z", 1)) } == .unknownMemberID)
    }

    @Test func `a group that is full refuses joins and nothing else`() throws {
        var group = try group("a")
        var join = G.join("b", to: [t1])
        join.sizeMax = 1
        #expect(code { try group.send(join) } == .groupMaxSizeReached)
        var beat = G.beat("a", 1)
        beat.sizeMax = 1
        #expect(code { try group.send(beat) } == .none)
    }

    // MARK: Leaving

    @Test func `what a member leaves behind goes to the others`() throws {
        var group = try group("a", "b")
        #expect(try group.leave("b")?.memberEpoch == -1)
        #expect(group.members.count == 1)
        try group.settle()
        #expect(group.assigned("a") == G.partitions(1, 0..<4))
        #expect(code { try group.leave("b") } == .unknownMemberID)
        try group.leave("a")
        #expect(group.isEmpty && group.owners.isEmpty && group.topics.isEmpty && group.state == .empty)
    }

    @Test func `a member is expired in the epoch it was silent in, and in no later one`() throws {
        var group = try group("a", "b")
        let epoch = try #require(group.members["b"]?.epoch)
        _ = group.apply(.expire(memberID: "b", epoch: epoch - 1))
        #expect(group.members["b"] != nil)
        _ = group.apply(.expire(memberID: "b", epoch: epoch))
        #expect(group.members["b"] == nil)
        try group.settle()
        #expect(group.assigned("a") == G.partitions(1, 0..<4))
    }

    @Test func `a member that comes back under its old id gets an epoch it never had`() throws {
        let topic = G.topic(1, 12)
        var group = ConsumerGroup()
        for member in ["a", "b", "c"] {
            _ = try group.send(G.join(member, to: [topic]))
            try group.settle()
        }
        // The others give up one after the other, and each time the new one gets an epoch with what is free.
        _ = try group.send(G.join("d", to: [topic]))
        for member in ["a", "b", "c"] {
            let asked = try group.send(G.beat(member, try #require(group.members[member]?.epoch)))
            _ = try group.send(G.beat(member, asked.memberEpoch, owned: asked.assignment))
            _ = try group.send(G.beat("d", try #require(group.members["d"]?.epoch)))
        }
        let before = try #require(group.members["d"]?.epoch)
        #expect(before == group.epoch + 3)
        try group.leave("d")
        #expect(try group.send(G.join("d", to: [topic])).memberEpoch > before)
    }

    // MARK: Static members

    @Test func `a static member that left for a while finds its partitions, and nobody else notices`() throws {
        var group = ConsumerGroup()
        _ = try group.send(G.join("a1", to: [t1], instance: "a"))
        _ = try group.send(G.join("b1", to: [t1], instance: "b"))
        try group.settle()
        let had = group.assigned("a1"), epoch = group.epoch, others = group.members["b1"]
        #expect(try group.leave("a1", instance: "a", isTemporary: true)?.memberEpoch == -2)
        try group.settle()
        #expect(group.members["b1"] == others && group.state == .stable)

        let back = try group.send(G.join("a2", to: [t1], instance: "a"))
        #expect(back.assignment == had && back.isReconciled)
        #expect(group.epoch == epoch && group.members["b1"] == others && group.members["a1"] == nil)
        #expect(code { try group.send(G.beat("a1", 1)) } == .unknownMemberID)
        var late = G.beat("a1", 1)
        late.instanceID = "a"
        #expect(code { try group.send(late) } == .fencedInstanceID)
        #expect(code { try group.leave("a1", instance: "a") } == .fencedInstanceID)
    }

    @Test func `a static member that comes back may subscribe to something else`() throws {
        var group = ConsumerGroup()
        var join = G.join("a1", to: [], instance: "a")
        join.pattern = SubscribedPattern(regex: "t.*", topicNames: ["t1"])
        join.topics = SubscribedTopics(topics: [t1])
        #expect(try group.send(join).assignment?.count == 4)
        try group.leave("a1", instance: "a", isTemporary: true)
        #expect(try group.send(G.join("a2", to: [G.topic(2, 1)], instance: "a")).assignment == G.partitions(2, 0..<1))
        #expect(group.patterns.isEmpty && group.topics.keys.sorted() == ["t2"])
    }

    @Test func `a static member that comes back under the same id gets an epoch it never had`() throws {
        var group = ConsumerGroup()
        _ = try group.send(G.join("a", to: [t1], instance: "i"))
        _ = try group.send(G.join("b", to: [t1]))
        try group.settle()
        let before = try #require(group.members["a"]?.epoch)
        try group.leave("a", instance: "i", isTemporary: true)
        #expect(try group.send(G.join("a", to: [t1], instance: "i")).memberEpoch > before)
    }

    @Test func `an instance id is free only after its holder left or was expired`() throws {
        var group = ConsumerGroup()
        _ = try group.send(G.join("a1", to: [t1], instance: "a"))
        #expect(code { try group.send(G.join("a2", to: [t1], instance: "a")) } == .unreleasedInstanceID)
        #expect(code { try group.leave("zz", isTemporary: true) } == .unknownMemberID)
        _ = group.apply(.expire(memberID: "a1", epoch: 1))
        #expect(code { try group.send(G.join("a2", to: [t1], instance: "a")) } == .none)
    }

    @Test func `a static member that does not come back is expired like any other`() throws {
        var group = ConsumerGroup()
        _ = try group.send(G.join("a1", to: [t1], instance: "a"))
        _ = try group.send(G.join("b", to: [t1]))
        try group.settle()
        try group.leave("a1", instance: "a", isTemporary: true)
        _ = group.apply(.expire(memberID: "a1", epoch: -2))
        try group.settle()
        #expect(group.assigned("b") == G.partitions(1, 0..<4))
    }

    @Test func `what was meant for others meanwhile is not kept for a static member`() throws {
        var group = ConsumerGroup()
        _ = try group.send(G.join("a1", to: [t1], instance: "a"))
        try group.leave("a1", instance: "a", isTemporary: true)
        _ = try group.send(G.join("b", to: [t1]))
        #expect(try group.send(G.join("a2", to: [t1], instance: "a")).assignment?.count == 2)
        #expect(try group.send(G.beat("b", 2)).assignment?.count == 2)
    }

    // MARK: Subscriptions and topics

    @Test func `a changed subscription takes and gives`() throws {
        var group = try group("a")
        var change = G.beat("a", 1)
        change.topicNames = ["t2"]
        change.topics = SubscribedTopics(topics: [G.topic(2, 2)])
        let answer = try group.send(change)
        #expect(answer.assignment == [] && !answer.isReconciled)
        let given = try group.send(G.beat("a", answer.memberEpoch, owned: []))
        #expect(given.assignment == G.partitions(2, 0..<2))
        #expect(group.topics.keys.sorted() == ["t2"])
    }

    @Test func `more partitions, a deleted topic and a topic made anew reach the members`() throws {
        var group = try group("a")
        _ = group.apply(.topicsChanged(SubscribedTopics(version: 5, topics: [G.topic(1, 6)])))
        try group.settle()
        #expect(group.assigned("a") == G.partitions(1, 0..<6))

        // A leader that looked at an older state is not believed, and partitions never get fewer.
        let (before, revision) = (group, group.revision)
        _ = group.apply(.topicsChanged(SubscribedTopics(version: 4, topics: [])))
        _ = group.apply(.topicsChanged(SubscribedTopics(version: 5, topics: [G.topic(1, 4)])))
        #expect(group == before && group.revision == revision)

        let anew = SubscribedTopic(name: "t1", id: G.id(8), number: TopicNumber(8), partitionCount: 1)
        _ = group.apply(.topicsChanged(SubscribedTopics(version: 6, topics: [anew])))
        try group.settle()
        #expect(group.assigned("a") == G.partitions(8, 0..<1))
        _ = group.apply(.topicsChanged(SubscribedTopics(version: 7, topics: [])))
        try group.settle()
        #expect(group.assigned("a") == [] && group.owners.isEmpty && group.state == .stable)
    }

    @Test func `what a pattern matches comes from the leader, and later from changes of the topics`() throws {
        var group = ConsumerGroup()
        var join = G.join("a", to: [])
        join.pattern = SubscribedPattern(regex: "t.*", topicNames: ["t1"])
        join.topics = SubscribedTopics(version: 1, topics: [t1])
        #expect(try group.send(join).assignment == G.partitions(1, 0..<4))
        #expect(group.patterns == ["t.*"])

        let found = SubscribedTopics(
            version: 2, topics: [t1, G.topic(2, 1)],
            patterns: [SubscribedPattern(regex: "t.*", topicNames: ["t1", "t2"])])
        _ = group.apply(.topicsChanged(found))
        try group.settle()
        #expect(group.assigned("a") == G.partitions(1, 0..<4) + G.partitions(2, 0..<1))

        var none = G.beat("a", try #require(group.members["a"]?.epoch))
        none.pattern = SubscribedPattern(regex: "", topicNames: [])
        _ = try group.send(none)
        try group.settle()
        #expect(group.assigned("a") == [] && group.patterns.isEmpty)
    }

    @Test func `the assignor that most members vote for is used, uniform if there is no other word`() throws {
        var group = ConsumerGroup()
        #expect(group.assignor == .uniform)
        let topics = [G.topic(1, 3), G.topic(2, 3)]
        _ = try group.send(G.join("a", to: topics, assignor: .range))
        _ = try group.send(G.join("b", to: topics))
        try group.settle()
        #expect(group.assignor == .range)
        #expect(group.assigned("a") == G.partitions(1, 0..<2) + G.partitions(2, 0..<2))
        _ = try group.send(G.join("c", to: topics, assignor: .uniform))
        #expect(group.assignor == .uniform)
    }

    // MARK: Without the log

    @Test func `a heartbeat that changes nothing needs no command, one that does needs one`() throws {
        var group = try group("a")
        let quiet = G.beat("a", 1), full = G.join("a", to: [t1])
        #expect(try group.preview(.heartbeat(quiet))?.get()?.assignment == nil)
        #expect(group.preview(.heartbeat(quiet)) != nil)
        // A full heartbeat is answered in full, still without a command.
        #expect(try group.preview(.heartbeat(full))?.get()?.assignment == G.partitions(1, 0..<4))
        // A refusal is known beforehand.
        #expect(code { try group.preview(.heartbeat(G.beat("a", 9)))?.get() } == .fencedMemberEpoch)

        #expect(group.preview(.heartbeat(G.join("b", to: [t1]))) == nil)
        #expect(group.preview(.leave(ConsumerGroupLeave(memberID: "a", instanceID: nil, isTemporary: false))) == nil)
        _ = try group.send(G.join("b", to: [t1]))
        #expect(group.preview(.heartbeat(quiet)) == nil)
        _ = try group.send(quiet)
        #expect(group.preview(.heartbeat(G.beat("a", 2))) != nil)
        #expect(group.preview(.heartbeat(G.beat("a", 2, owned: G.partitions(1, 0..<2)))) == nil)
    }

    // MARK: Offsets

    @Test func `offsets are committed in the newest epoch, or in an older one for what the member had then`() throws {
        var group = try group("a")
        let all = G.keys(1, 0..<4)
        _ = try group.send(G.join("b", to: [t1]))
        _ = try group.send(G.beat("a", 1))
        #expect(group.reasonToRefuseCommit(memberID: "a", memberEpoch: 2, all) == nil)
        // It was asked to give up two and has not heard of it; then it has given them up.
        #expect(group.reasonToRefuseCommit(memberID: "a", memberEpoch: 1, all) == nil)
        try group.settle()
        #expect(group.reasonToRefuseCommit(memberID: "a", memberEpoch: 1, all) == .staleMemberEpoch)
        #expect(group.reasonToRefuseCommit(memberID: "a", memberEpoch: 1, G.keys(1, 0..<2)) == nil)
        // Before it had it, or in an epoch that there was not.
        let given = try #require(group.members["b"]?.epoch)
        #expect(group.reasonToRefuseCommit(memberID: "b", memberEpoch: given - 1, G.keys(1, 2..<3)) != nil)
        #expect(group.reasonToRefuseCommit(memberID: "b", memberEpoch: given + 1, []) == .staleMemberEpoch)
        #expect(group.reasonToRefuseCommit(memberID: "c", memberEpoch: 1, []) == .unknownMemberID)
        #expect(group.reasonToRefuseCommit(memberID: "", memberEpoch: -1, []) == .unknownMemberID)
        #expect(ConsumerGroup().reasonToRefuseCommit(memberID: "", memberEpoch: -1, all) == nil)
    }

    @Test func `offsets are fetched by members that know where they are, and by tools`() throws {
        let group = try group("a", "b")
        let epoch = try #require(group.members["a"]?.epoch), before = try #require(group.members["a"]?.previousEpoch)
        #expect(group.reasonToRefuseFetch(memberID: nil, memberEpoch: -1) == nil)
        #expect(group.reasonToRefuseFetch(memberID: "a", memberEpoch: epoch) == nil)
        #expect(group.reasonToRefuseFetch(memberID: "a", memberEpoch: before) == nil)
        #expect(group.reasonToRefuseFetch(memberID: "a", memberEpoch: epoch + 1) == .staleMemberEpoch)
        #expect(group.reasonToRefuseFetch(memberID: "z", memberEpoch: epoch) == .unknownMemberID)
    }
}
