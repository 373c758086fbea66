import Basics
import KafkaWire
import Testing

@testable import Broker

/// A group has one protocol of membership while it has members.
@Suite struct GroupProtocolTests {
    private typealias G = ConsumerGroup
    private static let key = PartitionKey(TopicNumber(1), 0)
    private var table = GroupTable()

    @discardableResult
    private mutating func apply(_ action: GroupCommand.Action, at time: Milliseconds = 0) -> CommandResult {
        table.apply(GroupCommand("g", at: time, action), isAlive: { _ in true })
    }

    private mutating func join(_ member: String) -> ErrorCode {
        switch apply(.consumer(.heartbeat(G.join(member, to: [G.topic(1, 2)])))) {
        case .consumerGroup(.failure(let refusal)): refusal.code
        case .consumerGroup(.success): .none
        default: .unknownServerError
        }
    }

    private mutating func leave(_ member: String, at time: Milliseconds = 0) {
        apply(.consumer(.leave(ConsumerGroupLeave(memberID: member, instanceID: nil, isTemporary: false))), at: time)
    }

    @Test mutating func `a classic member is refused while there are members of the new protocol`() {
        #expect(join("a") == .none)
        #expect(table["g"]?.typeName == "consumer" && table["g"]?.protocolType == "consumer")
        #expect(apply(.classic(.join(.sample("c")))) == .refused(.rebalanceInProgress))
        #expect(table["g"]?.consumer?.members.count == 1)
        leave("a")
        #expect(table["g"]?.stateName == "Empty" && table["g"]?.hasMembers == false)
        apply(.classic(.join(.sample("c"))))
        #expect(table["g"]?.classic?.members.count == 1 && table["g"]?.typeName == "classic")
    }

    @Test mutating func `a member of the new protocol is refused while there are classic ones`() {
        apply(.classic(.join(.sample("c"))))
        #expect(join("a") == .groupIDNotFound)
        #expect(table["g"]?.classic?.members.count == 1)
        apply(.classic(.remove(memberIDs: ["c"])))
        #expect(join("a") == .none)
        #expect(table["g"]?.consumer?.members.count == 1)
    }

    @Test mutating func `offsets stay when the protocol changes`() {
        apply(.commitOffsets(.sample(Self.key, 5)))
        #expect(join("a") == .none)
        apply(.commitOffsets(.sample(Self.key, 6, member: "a", generation: 1)))
        leave("a")
        apply(.classic(.join(.sample("c"))))
        #expect(table["g"]?.offsets[Self.key]?.offset == 6)
    }

    @Test mutating func `a commit names a member and an epoch that it has`() {
        #expect(join("a") == .none)
        #expect(apply(.commitOffsets(.sample(Self.key, 5))) == .refused(.unknownMemberID))
        let late = OffsetCommit.sample(Self.key, 5, member: "a", generation: 2)
        #expect(apply(.commitOffsets(late)) == .refused(.staleMemberEpoch))
        #expect(apply(.commitOffsets(.sample(Self.key, 5, member: "a", generation: 1))) == .none)
        #expect(table["g"]?.offsets[Self.key]?.offset == 5)
    }

    @Test mutating func `a refused command leaves no group behind, and no other protocol`() {
        leave("a")
        apply(.consumer(.expire(memberID: "a", epoch: 1)))
        apply(.consumer(.topicsChanged(SubscribedTopics())))
        var full = G.join("a", to: [G.topic(1, 2)])
        full.sizeMax = 0
        apply(.consumer(.heartbeat(full)))
        #expect(table["g"] == nil)
    }

    @Test mutating func `a group whose members are gone ends with its offsets`() {
        #expect(join("a") == .none)
        apply(.commitOffsets(.sample(Self.key, 5, member: "a", generation: 1)), at: 10)
        #expect(apply(.delete) == .refused(.nonEmptyGroup))
        apply(.expireOffsets(retention: 100), at: 1_000)
        #expect(table["g"]?.offsets.isEmpty == false)
        leave("a", at: 1_000)
        apply(.expireOffsets(retention: 100), at: 1_099)
        #expect(table["g"]?.offsets.isEmpty == false, "the time counts from the last member's end")
        apply(.expireOffsets(retention: 100), at: 1_100)
        #expect(table["g"] == nil)
    }
}
