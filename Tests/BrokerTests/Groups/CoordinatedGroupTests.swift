import NIOCore
import Testing

@testable import Broker

/// The timers of a group of the classic protocol.
@Suite struct CoordinatedGroupTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    /// When the time is over to ask for an assignment.
    private static let deadline = start + .seconds(30)

    /// A generation that waits for its leader, the first of the two members, to assign.
    private static func completing() -> (ClassicGroup, CoordinatedGroup) {
        var group = ClassicGroup()
        for memberID in ["leader", "other"] {
            let join = ClassicJoin.sample(memberID, sessionTimeout: 60_000, rebalanceTimeout: 30_000)
            _ = group.apply(.join(join))
        }
        _ = group.apply(.completeJoin(generation: group.generation))
        #expect(group.state == .completingRebalance && group.leaderID == "leader")
        let coordinated = CoordinatedGroup(initialDelay: .zero)
        coordinated.adopt(group, now: start)
        return (group, coordinated)
    }

    private static func ask(_ memberID: String, _ group: ClassicGroup, _ coordinated: CoordinatedGroup) {
        coordinated.noteSync(memberID)
        coordinated.wait(WaitingSync(generation: group.generation) { _ in }, as: memberID)
    }

    private static func removed(_ commands: [ClassicGroupCommand]) -> [String] {
        commands.flatMap { command -> [String] in
            guard case .remove(let memberIDs) = command else { return [] }
            return memberIDs
        }
    }

    @Test func `a leader whose assignment is on its way into the log is not late`() {
        let (group, coordinated) = Self.completing()
        Self.ask("leader", group, coordinated)
        Self.ask("other", group, coordinated)
        #expect(Self.removed(coordinated.commandsDue(group, now: Self.deadline)) == [])
    }

    @Test func `a leader that has not assigned in time is removed`() {
        let (group, coordinated) = Self.completing()
        Self.ask("other", group, coordinated)
        #expect(Self.removed(coordinated.commandsDue(group, now: Self.deadline - .nanoseconds(1))) == [])
        #expect(Self.removed(coordinated.commandsDue(group, now: Self.deadline)) == ["leader"])
    }

    /// Its assignment was on its way, and came to nothing.
    @Test func `a leader that was refused its assignment is removed if it does not try again`() throws {
        let (group, coordinated) = Self.completing()
        Self.ask("leader", group, coordinated)
        Self.ask("other", group, coordinated)
        let waiting = try #require(coordinated.syncs["leader"])
        #expect(coordinated.remove(waiting, as: "leader"))
        #expect(Self.removed(coordinated.commandsDue(group, now: Self.deadline)) == ["leader"])
    }

    @Test func `whoever does not ask for its assignment is removed, and the leader is not for that`() {
        let (group, coordinated) = Self.completing()
        Self.ask("leader", group, coordinated)
        #expect(Self.removed(coordinated.commandsDue(group, now: Self.deadline)) == ["other"])
    }
}
