import KafkaWire
import NIOCore
import Testing

@testable import Broker

@Suite struct ConsumerGroupTimersTests {
    private typealias G = ConsumerGroup
    private var timers = ConsumerGroupTimers(sessionTimeout: .seconds(45))

    private func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(seconds) }

    private func group(_ members: String...) throws -> ConsumerGroup {
        var group = ConsumerGroup()
        for member in members {
            _ = try group.send(G.join(member, to: [G.topic(1, 4)]))
            try group.settle()
        }
        return group
    }

    private mutating func overdue(_ seconds: Int64) -> [String] { timers.overdue(now: at(seconds)).map(\.memberID) }

    @Test mutating func `a silent member is overdue after its session, and again until it is gone`() throws {
        let group = try group("a", "b")
        timers.observe("g", group, now: at(0))
        timers.touch("g", "b", now: at(30))
        #expect(overdue(44) == [])
        #expect(overdue(45) == ["a"])
        #expect(overdue(45) == [])
        #expect(overdue(46) == ["a"])
        #expect(overdue(75) == ["a", "b"])
        timers.observe("g", nil, now: at(75))
        #expect(overdue(1_000) == [] && timers.next == .distantFuture)
    }

    @Test mutating func `a new epoch is a new session, an old one runs on`() throws {
        var group = try group("a")
        timers.observe("g", group, now: at(0))
        _ = try group.send(G.join("b", to: [G.topic(1, 4)]))
        timers.observe("g", group, now: at(40))
        #expect(timers.overdue(now: at(50)) == [.init(groupID: "g", memberID: "a", epoch: 1)])
        _ = try group.send(G.beat("a", 1))
        timers.observe("g", group, now: at(50))
        #expect(overdue(84) == [])
    }

    @Test mutating func `a member that keeps what it shall give up is overdue after its rebalance timeout`() throws {
        var group = try group("a")
        _ = try group.send(G.join("b", to: [G.topic(1, 4)]))
        _ = try group.send(G.beat("a", 1))
        timers.observe("g", group, now: at(0))
        for second in stride(from: 30, through: 60, by: 30) {
            timers.touch("g", "a", now: at(Int64(second)))
            timers.touch("g", "b", now: at(Int64(second)))
            timers.observe("g", group, now: at(Int64(second)))
        }
        #expect(timers.overdue(now: at(60)) == [.init(groupID: "g", memberID: "a", epoch: 2)])
        // It gives up after all.
        _ = try group.send(G.beat("a", 2, owned: group.assigned("a")))
        timers.observe("g", group, now: at(61))
        #expect(overdue(100) == [])
    }
}
