import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

/// Groups as values: offsets, their end, and the end of a group.
@Suite struct GroupTableTests {
    private static let key = PartitionKey(TopicNumber(1), 0)
    private static let day: Milliseconds = 86_400_000

    private var table = GroupTable()

    private mutating func apply(
        _ action: GroupCommand.Action, at time: Milliseconds = 0, isAlive: (TopicNumber) -> Bool = { _ in true }
    ) -> CommandResult {
        table.apply(GroupCommand("g", at: time, action), isAlive: isAlive)
    }

    @Test mutating func `the last commit counts`() {
        _ = apply(.commitOffsets(.sample(Self.key, 5)))
        _ = apply(.commitOffsets(.sample(Self.key, 3, metadata: "m")), at: 9)
        let expected = GroupOffsets.Committed(offset: 3, leaderEpoch: 3, metadata: "m", committedAt: 9, expiresAt: -1)
        #expect(table["g"]?.offsets[Self.key] == expected)
    }

    @Test mutating func `what is refused leaves no group behind`() {
        let commit = OffsetCommit.sample(Self.key, 5, member: "m", generation: 4)
        #expect(apply(.commitOffsets(commit)) == .refused(.illegalGeneration))
        #expect(apply(.classic(.join(.known("x")))) == .refused(.unknownMemberID))
        #expect(apply(.delete) == .refused(.groupIDNotFound))
        #expect(apply(.deleteOffsets([Self.key])) == .refused(.groupIDNotFound))
        #expect(table["g"] == nil)
    }

    /// Else a commit that was held up could name an epoch that the same member reaches again (seed 90001120).
    @Test mutating func `a group goes on from its epoch when its next member brings the other protocol`() {
        func consumer(_ command: ConsumerGroupCommand) -> GroupCommand.Action { .consumer(command) }
        _ = apply(consumer(.heartbeat(ConsumerGroup.join("new", to: [ConsumerGroup.topic(1, 1)]))))
        let first = table["g"]?.consumer?.epoch ?? 0
        _ = apply(consumer(.leave(ConsumerGroupLeave(memberID: "new", instanceID: nil, isTemporary: false))))
        #expect(apply(.classic(.join(.known("stranger")))) == .refused(.unknownMemberID))
        #expect(table["g"]?.consumer?.epoch ?? 0 >= first, "what is refused changes nothing")

        _ = apply(.classic(.join(.sample("old"))))
        _ = apply(.classic(.completeJoin(generation: table["g"]?.classic?.generation ?? 0)))
        let second = table["g"]?.classic?.generation ?? 0
        #expect(first > 0 && second > first)

        _ = apply(.classic(.remove(memberIDs: ["old"])))
        _ = apply(consumer(.heartbeat(ConsumerGroup.join("new", to: [ConsumerGroup.topic(1, 1)]))))
        #expect(table["g"]?.consumer?.members["new"]?.epoch ?? 0 > second)
    }

    @Test mutating func `offsets of a topic that is gone are not taken, and go with their topic`() {
        _ = apply(.commitOffsets(.sample(Self.key, 5)), isAlive: { _ in false })
        #expect(table["g"] == nil)
        #expect(table.topics.isEmpty)
        _ = apply(.commitOffsets(.sample(Self.key, 5)))
        #expect(table.topics == [Self.key.topic])
        table.forget(Self.key.topic)
        #expect(table["g"] == nil)
        #expect(table.topics.isEmpty)
    }

    @Test mutating func `offsets never expire while the group has members`() {
        _ = apply(.classic(.join(.sample("a"))))
        _ = apply(.classic(.completeJoin(generation: 0)))
        _ = apply(.classic(.sync(.sample("a", generation: 1))))
        _ = apply(.commitOffsets(.sample(Self.key, 5, member: "a", generation: 1)))
        _ = apply(.expireOffsets(retention: Self.day), at: 100 * Self.day)
        #expect(table["g"]?.offsets[Self.key] != nil)
        _ = apply(.classic(.remove(memberIDs: ["a"])), at: 100 * Self.day)
        _ = apply(.expireOffsets(retention: Self.day), at: 101 * Self.day - 1)
        #expect(table["g"]?.offsets[Self.key] != nil, "the time counts from the last member's end")
        _ = apply(.expireOffsets(retention: Self.day), at: 101 * Self.day)
        #expect(table["g"] == nil)
    }

    @Test mutating func `a commit may name its own end`() {
        _ = apply(.commitOffsets(.sample(Self.key, 5, expiresAt: 50)))
        _ = apply(.expireOffsets(retention: Self.day), at: 49)
        #expect(table["g"] != nil)
        _ = apply(.expireOffsets(retention: Self.day), at: 50)
        #expect(table["g"] == nil)
    }

    @Test mutating func `a group with members is not deleted, one without is, with its offsets`() {
        _ = apply(.commitOffsets(.sample(Self.key, 5)))
        _ = apply(.classic(.join(.sample("a"))))
        #expect(apply(.delete) == .refused(.nonEmptyGroup))
        _ = apply(.classic(.remove(memberIDs: ["a"])))
        #expect(apply(.delete) == .none)
        #expect(table["g"] == nil)
    }

    @Test mutating func `the groups that commands were about are told once`() {
        _ = apply(.commitOffsets(.sample(Self.key, 5)))
        _ = apply(.commitOffsets(.sample(Self.key, 6)))
        _ = table.apply(GroupCommand("a", at: 0, .classic(.join(.sample("x")))), isAlive: { _ in true })
        #expect(table.takeTouched() == ["a", "g"])
        #expect(table.takeTouched().isEmpty)
    }

    @Test func `replicas that applied the same have the same digest, others do not`() {
        let commands: [Command] = [
            .group(GroupCommand("g", at: 1, .classic(.join(.sample("a"))))),
            .group(GroupCommand("g", at: 1, .commitOffsets(.sample(Self.key, 5)))),
            .group(GroupCommand("h", at: 1, .commitOffsets(.sample(Self.key, 5)))),
        ]
        var digests: Set<UInt64> = []
        for length in 0...commands.count {
            var seen: Set<UInt64> = []
            for _ in 0..<2 {
                let machine = TopicsFSM(shard: ShardID(1))
                var log = CommandLog()
                for command in commands.prefix(length) { _ = log.apply(command, to: machine) }
                seen.insert(machine.digest)
            }
            #expect(seen.count == 1)
            digests.formUnion(seen)
        }
        // The first commit is refused, since the group has a member; it leaves the state as it is.
        #expect(digests.count == commands.count)
    }
}
