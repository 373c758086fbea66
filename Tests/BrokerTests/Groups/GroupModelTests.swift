import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

/// Groups under random trouble: members that come, go, crash and lose their connections, and leaders that are lost with
/// part of what they proposed. Whatever was reached, timers and well-behaved members lead on from there.
@Suite struct GroupModelTests {
    /// What holds at any time.
    private static func check(_ world: GroupWorld, _ seed: UInt64) {
        var owners: [Int: String] = [:]
        let generation = world.classic?.generation ?? 0
        for member in world.members where member.isMember && member.generation == generation {
            for partition in member.partitions {
                #expect(owners[partition] == nil, "seed \(seed): two members of generation \(generation) own it")
                owners[partition] = member.name
            }
        }
        if let group = world.classic {
            #expect(group.members.isEmpty == (group.state == .empty), "seed \(seed)")
            #expect(group.staticMembers.values.allSatisfy { group.members[$0] != nil }, "seed \(seed)")
            #expect(group.leaderID == nil || group.members[group.leaderID ?? ""] != nil, "seed \(seed)")
        }
    }

    /// What must hold when there was no trouble for long enough.
    private static func checkSettled(_ world: GroupWorld, _ seed: UInt64) {
        guard !world.members.isEmpty else {
            let hasMembers = world.table[GroupWorld.group]?.hasMembers ?? false
            #expect(!hasMembers, "seed \(seed): members that are gone stay")
            return
        }
        #expect(world.classic?.state == .stable, "seed \(seed)")
        #expect(world.classic?.members.count == world.members.count, "seed \(seed)")
        #expect(world.members.allSatisfy { $0.isMember && $0.generation == world.classic?.generation }, "seed \(seed)")
        let owned = world.members.flatMap(\.partitions)
        #expect(owned.sorted() == Array(0..<GroupClient.partitionCount), "seed \(seed)")
    }

    private static func makeTrouble(_ world: GroupWorld, _ number: Int) {
        let member = world.members.randomElement(using: &world.random)
        switch Int.random(in: 0..<20, using: &world.random) {
        case 0...3 where world.members.count < 6:
            let isStatic = Bool.random(using: &world.random)
            _ = world.addMember(
                "m\(number)", instanceID: isStatic ? "i\(number)" : nil,
                requiresMemberID: Bool.random(using: &world.random))
        case 4: member?.crash()
        case 5: member?.leave()
        case 6, 7: member?.loseConnection()
        case 8: member?.changeSubscription()
        case 9, 10:
            world.loseLeader()
            world.run(for: .milliseconds(Int64.random(in: 0...2_000, using: &world.random)))
            world.takeOffice()
        case 11: world.coordinator?.propose(.expireOffsets(retention: 0), to: GroupWorld.group) { _ in }
        case 12: world.coordinator?.propose(.delete, to: GroupWorld.group) { _ in }
        case 13: world.delayMax = Int.random(in: 0...2, using: &world.random)
        default: break
        }
    }

    @Test(arguments: 1...150 as ClosedRange<UInt64>)
    func `from every state that trouble leads to, timers and good members lead to a stable group`(seed: UInt64) {
        var configuration = GroupConfiguration()
        configuration.initialRebalanceDelay = [0, 500, 3_000][Int(seed % 3)]
        let world = GroupWorld(seed: seed, configuration)
        for number in 0..<60 {
            Self.makeTrouble(world, number)
            let pause = [50, 50, 200, 1_000, 5_000, 20_000].randomElement(using: &world.random) ?? 50
            let end = world.now + .milliseconds(Int64(pause))
            while world.now < end {
                world.step()
                Self.check(world, seed)
            }
        }
        // Sessions of 10 s, two rebalances of 15 s, and clients that give up waiting after 20 s.
        world.run(for: .seconds(90))
        Self.check(world, seed)
        Self.checkSettled(world, seed)
        for member in world.members { member.crash() }
        world.run(for: .seconds(60))
        Self.checkSettled(world, seed)
    }

    @Test func `the first members wait for others, each newcomer prolongs the wait, and it has an end`() throws {
        let world = GroupWorld(seed: 1)
        let start = world.now
        var number = 0
        while world.classic?.generation ?? 0 == 0 {
            if number < 40 { _ = world.addMember("m\(number)", requiresMemberID: false) }
            number += 1
            world.run(for: .milliseconds(500))
            try #require(number < 200)
        }
        let waited = (world.now - start).nanoseconds / 1_000_000
        #expect((15_000...16_000).contains(waited), "the rebalance timeout bounds the delay")
        #expect(world.classic?.members.count ?? 0 >= 28)
    }

    @Test func `members alone are not kept waiting longer than the initial delay`() {
        let world = GroupWorld(seed: 1)
        let member = world.addMember("a")
        world.run(for: .milliseconds(2_500))
        #expect(!member.isMember)
        world.run(for: .milliseconds(1_500))
        #expect(member.isMember)
    }

    @Test func `an id that was handed out holds a rebalance up no longer than its session`() {
        let world = GroupWorld(seed: 1)
        let member = world.addMember("a")
        world.run(for: .seconds(5))
        #expect(member.isMember)
        var codes: [ErrorCode] = []
        let waiting = WaitingJoin(maySkipAssignment: true, isWanted: { true }, answer: { answer in
            if case .refused(let code, _) = answer { codes.append(code) }
        })
        var join = ClassicJoin.sample("", sessionTimeout: 6_000)
        join.isNew = false
        world.coordinator?.join(join, GroupWorld.group, requiresMemberID: true, waiting)
        #expect(codes == [.memberIDRequired])
        member.changeSubscription()
        world.run(for: .seconds(3))
        #expect(!member.isMember, "the one with the id is expected to join too")
        world.run(for: .seconds(6))
        #expect(member.isMember)
    }

    @Test func `a member that never asks for its assignment is removed, and so is a leader that never assigns`() {
        let world = GroupWorld(seed: 1)
        let join = ClassicJoin.sample("silent", sessionTimeout: 600_000, rebalanceTimeout: 15_000)
        world.coordinator?.propose(.classic(.join(join)), to: GroupWorld.group) { _ in }
        world.run(for: .seconds(10))
        #expect(world.classic?.state == .completingRebalance)
        #expect(world.classic?.leaderID == "silent")
        let member = world.addMember("a")
        world.run(for: .seconds(45))
        #expect(member.isMember)
        #expect(world.classic?.members.count == 1)
    }

    @Test func `more ids than the bound are not handed out`() {
        var configuration = GroupConfiguration()
        configuration.pendingMembersMax = 3
        let world = GroupWorld(seed: 1, configuration)
        func ask() -> ErrorCode? {
            var answered: ErrorCode?
            let waiting = WaitingJoin(maySkipAssignment: true, isWanted: { true }, answer: { answer in
                if case .refused(let code, _) = answer { answered = code }
            })
            var join = ClassicJoin.sample("", sessionTimeout: 6_000)
            join.isNew = false
            world.coordinator?.join(join, GroupWorld.group, requiresMemberID: true, waiting)
            return answered
        }
        #expect((0..<3).allSatisfy { _ in ask() == .memberIDRequired })
        #expect(ask() == .coordinatorLoadInProgress)
        world.run(for: .seconds(7))
        #expect(ask() == .memberIDRequired)
    }
}
