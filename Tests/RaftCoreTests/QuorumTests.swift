import Basics
import Testing

@testable import RaftCore

@Suite struct QuorumTests {
    @Test(
        "a majority is more than half",
        arguments: [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)])
    func size(voters: Int, expected: Int) {
        #expect(Quorum.size(voters: voters) == expected)
    }

    @Test("alone, the own value is the quorum's")
    func alone() {
        #expect(Quorum.reached(own: 7, peers: []) == 7)
    }

    @Test("what a minority has reached does not count, equal values do")
    func examples() {
        #expect(Quorum.reached(own: 9, peers: [1, 5]) == 5)
        #expect(Quorum.reached(own: 0, peers: [5, 5]) == 5)
        #expect(Quorum.reached(own: 9, peers: [8, 1, 2, 3]) == 3)
        #expect(Quorum.reached(own: 4, peers: [4, 1, 1]) == 1)
    }

    @Test("it equals the value that sorting finds, for every size")
    func againstSorting() {
        var random = RandomSource(seed: 1)
        for _ in 0..<2_000 {
            let peers = (0..<Int(random.next() % 7)).map { _ in Int(random.next() % 6) }
            let own = Int(random.next() % 6)
            let descending = (peers + [own]).sorted(by: >)
            let expected = descending[Quorum.size(voters: descending.count) - 1]
            #expect(Quorum.reached(own: own, peers: peers) == expected, "\(own) \(peers)")
        }
    }
}
