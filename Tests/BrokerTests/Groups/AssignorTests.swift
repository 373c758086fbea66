import Basics
import Testing

@testable import Broker

@Suite struct AssignorTests {
    /// A problem in which everybody subscribes to everything.
    private static func equal(members: Int, partitions: [Int]) -> AssignmentProblem {
        AssignmentProblem(
            memberCount: members,
            topics: partitions.map {
                AssignmentProblem.Topic(
                    partitionCount: $0, subscribers: Array(0..<members), owners: [Int?](repeating: nil, count: $0))
            })
    }

    private static func random(_ random: inout RandomSource, areEqual: Bool) -> AssignmentProblem {
        let members = Int.random(in: 1...9, using: &random)
        let topics = (0..<Int.random(in: 1...5, using: &random)).map { _ in
            let count = Int.random(in: 0...12, using: &random)
            let subscribers = (0..<members).filter { _ in areEqual || Bool.random(using: &random) }
            let owners = (0..<count).map { _ in
                Bool.random(using: &random) ? subscribers.randomElement(using: &random) : nil
            }
            return AssignmentProblem.Topic(partitionCount: count, subscribers: subscribers, owners: owners)
        }
        return AssignmentProblem(memberCount: members, topics: topics)
    }

    private static func loads(_ owners: AssignmentProblem.Owners, members: Int) -> [Int] {
        var loads = [Int](repeating: 0, count: members)
        for case let owner? in owners.joined() { loads[owner] += 1 }
        return loads
    }

    @Test(arguments: ServerAssignor.allCases, 0..<100 as Range<UInt64>)
    func `every partition with a subscriber has one, no other has any`(assignor: ServerAssignor, seed: UInt64) {
        var random = RandomSource(seed: seed)
        let problem = Self.random(&random, areEqual: false)
        let result = assignor.assign(problem)
        #expect(result.map(\.count) == problem.topics.map(\.partitionCount))
        for (topic, owners) in zip(problem.topics, result) {
            for owner in owners {
                #expect(owner.map { topic.subscribers.contains($0) } ?? topic.subscribers.isEmpty)
            }
        }
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `uniform: with equal subscriptions the loads differ by one at most, and nothing moves that need not`(
        seed: UInt64
    ) {
        var random = RandomSource(seed: seed)
        let problem = Self.random(&random, areEqual: true)
        let result = UniformAssignor.assign(problem)
        let loads = Self.loads(result, members: problem.memberCount)
        let share = loads.reduce(0, +) / problem.memberCount, extra = loads.reduce(0, +) % problem.memberCount
        #expect(loads.allSatisfy { $0 == share || $0 == share + 1 } && loads.count { $0 > share } == extra)

        // Of what a member had, at most `share` can stay, and one more with as many members as there are extras.
        let had = Self.loads(problem.topics.map(\.owners), members: problem.memberCount)
        let canStay = had.map { min($0, share) }.reduce(0, +) + min(extra, had.count { $0 > share })
        let stays = zip(problem.topics, result).flatMap { zip($0.owners, $1) }.count { $0 != nil && $0 == $1 }
        #expect(stays == canStay)
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `uniform: no partition could move to a subscriber that has two less, and a balanced assignment stays`(
        seed: UInt64
    ) {
        var random = RandomSource(seed: seed)
        var problem = Self.random(&random, areEqual: false)
        let result = UniformAssignor.assign(problem)
        let loads = Self.loads(result, members: problem.memberCount)
        for (topic, owners) in zip(problem.topics, result) {
            for case let owner? in owners {
                for other in topic.subscribers { #expect(loads[owner] <= loads[other] + 1) }
            }
        }
        for number in problem.topics.indices { problem.topics[number].owners = result[number] }
        #expect(UniformAssignor.assign(problem) == result)
    }

    @Test func `uniform: topics spread as well as partitions`() {
        let result = UniformAssignor.assign(Self.equal(members: 4, partitions: [8, 4, 4]))
        for (owners, share) in zip(result, [2, 1, 1]) {
            #expect(Self.loads([owners], members: 4) == [share, share, share, share])
        }
    }

    @Test func `uniform: fifty members and ten thousand partitions, one joins: only its share moves`() {
        var problem = Self.equal(members: 50, partitions: [6_000, 4_000])
        problem.topics = zip(problem.topics, UniformAssignor.assign(problem)).map { topic, owners in
            AssignmentProblem.Topic(
                partitionCount: topic.partitionCount, subscribers: Array(0..<51), owners: owners)
        }
        problem.memberCount = 51
        let result = UniformAssignor.assign(problem)
        let moved = zip(problem.topics, result).flatMap { zip($0.owners, $1) }.count { $0 != $1 }
        #expect(moved == 10_000 / 51)
    }

    @Test func `range: consecutive partitions, the first members get one more, equal topics are cut equally`() {
        let result = RangeAssignor.assign(Self.equal(members: 3, partitions: [7, 7, 2]))
        #expect(result[0] == [0, 0, 0, 1, 1, 2, 2])
        #expect(result[1] == result[0])
        #expect(result[2] == [0, 1])
    }

    @Test func `assignors have names in the protocol and numbers in logs`() {
        #expect(ServerAssignor(name: "uniform") == .uniform && ServerAssignor.uniform.rawValue == 1)
        #expect(ServerAssignor(name: "range") == .range && ServerAssignor.range.rawValue == 2)
        #expect(ServerAssignor(name: "sticky") == nil)
    }
}
