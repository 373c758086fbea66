import KafkaWire
import Testing

@testable import Simulation

@Suite struct CooperativeStickyAssignorTests {
    private static let topic = ClusterView.Topic(id: TopicID(high: 0, low: 1), name: "t", partitionCount: 4)

    private static func member(_ numbers: [Int32], of generation: Int32, to topics: [String] = ["t"])
        -> ClassicSubscription
    {
        let partitions = Set(numbers.map { NamedPartition(topic: "t", number: $0) })
        return ClassicSubscription(to: topics, claim: .init(partitions: partitions, generation: generation))
    }

    private static func assign(_ members: [ClassicSubscription]) -> (numbers: [[Int32]], withheld: [Int32]) {
        let assignor = CooperativeStickyAssignor(members, [topic])
        return (assignor.lanes.map { $0.map(\.partition) }, assignor.withheld.map(\.partition))
    }

    @Test func `what its owner has to give up is withheld, and handed over by the next generation`() {
        let first = Self.assign([Self.member([0, 1, 2, 3], of: 1), Self.member([], of: -1)])
        #expect(first.numbers.map(\.count) == [2, 0] && first.withheld.count == 2)
        let second = Self.assign([Self.member(first.numbers[0], of: 2), Self.member([], of: 2)])
        #expect(second.numbers == [first.numbers[0], first.withheld] && second.withheld == [])
    }

    @Test func `members keep what they have where that is fair`() {
        let assignment = Self.assign([Self.member([1, 3], of: 4), Self.member([0, 2], of: 4)])
        #expect(assignment.numbers == [[1, 3], [0, 2]] && assignment.withheld == [])
    }

    @Test func `the claim of an older generation is void where a newer one contests it, and there alone`() {
        let assignment = Self.assign([Self.member([0, 1, 2], of: 4), Self.member([0, 3], of: 5)])
        #expect(assignment.numbers == [[1, 2], [0, 3]] && assignment.withheld == [])
    }

    @Test func `what two members claim nobody gets before one has given it up`() {
        let assignment = Self.assign([Self.member([0, 1], of: 4), Self.member([0, 3], of: 4)])
        #expect(assignment.withheld == [0] && !assignment.numbers.joined().contains(0))
    }

    @Test func `what a member does not subscribe to any more goes to others when it has given it up`() {
        let leaving = Self.member([0, 1, 2, 3], of: 4, to: [])
        #expect(Self.assign([leaving, Self.member([], of: 4)]).withheld == [0, 1, 2, 3])
        #expect(Self.assign([Self.member([], of: 5, to: []), Self.member([], of: 5)]).numbers == [[], [0, 1, 2, 3]])
    }

    @Test func `a subscription is read as it was written`() throws {
        let written = Self.member([2, 0], of: 7, to: ["t", "u"])
        let read = try #require(ClassicSubscription(written.encoded))
        #expect(read.topics == written.topics)
        #expect(read.claim?.partitions == written.claim?.partitions && read.claim?.generation == 7)
        let eager = try #require(ClassicSubscription(ClassicSubscription(to: ["t"], claim: nil).encoded))
        #expect(eager.topics == ["t"] && eager.claim == nil)
    }
}
