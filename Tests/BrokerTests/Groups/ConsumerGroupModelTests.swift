import Basics
import Testing

@testable import Broker

@Suite struct ConsumerGroupModelTests {
    @Test(arguments: 0..<100 as Range<UInt64>)
    func `no two members read one partition, whatever happens, and a group left in peace settles`(seed: UInt64) {
        let model = ConsumerGroupModel(seed: seed)
        for _ in 0..<400 { model.step() }
        let rounds = model.roundsToSettle(limit: 40)
        #expect(rounds != nil, "members: \(model.group.members.values)")
    }

    @Test(arguments: 1...20) func `two rounds of heartbeats settle a group that a member joined`(count: Int) throws {
        var group = ConsumerGroup()
        let topics = [ConsumerGroup.topic(1, 30), ConsumerGroup.topic(2, 11)]
        for number in 0..<count {
            _ = try group.send(ConsumerGroup.join("member-\(number)", to: topics))
            try group.settle()
        }
        _ = try group.send(ConsumerGroup.join("new", to: topics))
        // Each learns what to give up, each says that it has, the new one takes.
        for _ in 0..<2 {
            for member in group.members.values.sorted(by: { $0.id < $1.id }) {
                _ = try group.send(ConsumerGroup.beat(member.id, member.epoch, owned: member.assigned.keys.sorted()))
            }
        }
        _ = try group.send(ConsumerGroup.beat("new", group.members["new"]?.epoch ?? 0))
        #expect(group.state == .stable)
        let loads = group.members.values.map(\.assigned.count)
        #expect(loads.reduce(0, +) == 41 && (loads.max() ?? 0) - (loads.min() ?? 0) <= 1)
    }
}
