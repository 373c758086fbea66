import Basics
import Testing

@testable import Broker

@Suite struct ProducerStateTests {
    /// A producer that has sent batches of these lengths, beginning at `sequence`.
    private func state(_ counts: [Int32], from sequence: Int32 = 0, epoch: Int16 = 0) -> ProducerState {
        var state = ProducerState(epoch: epoch, lastSeen: 0)
        var next = sequence
        for (number, count) in counts.enumerated() {
            state.record(epoch: epoch, sequence: next, count: count, baseOffset: .init(Int64(number * 100)), at: 0)
            next = ProducerState.advance(next, by: count)
        }
        return state
    }

    @Test func `the first batch may begin anywhere`() {
        #expect(state([]).verdict(epoch: 0, sequence: 7, count: 1) == .append)
    }

    @Test func `the next sequence is appended, everything else is out of order`() {
        let state = state([3, 2])
        #expect(state.verdict(epoch: 0, sequence: 5, count: 9) == .append)
        for sequence: Int32 in [1, 2, 4, 6, .max] {
            #expect(state.verdict(epoch: 0, sequence: sequence, count: 1) == .outOfOrder)
        }
    }

    @Test func `a duplicate has the same first and last sequence`() {
        let state = state([3, 2])
        #expect(state.verdict(epoch: 0, sequence: 0, count: 3) == .duplicate(baseOffset: .init(0)))
        #expect(state.verdict(epoch: 0, sequence: 3, count: 2) == .duplicate(baseOffset: .init(100)))
        #expect(state.verdict(epoch: 0, sequence: 0, count: 2) == .outOfOrder)
        #expect(state.verdict(epoch: 0, sequence: 3, count: 3) == .outOfOrder)
    }

    @Test func `five batches are remembered`() {
        let state = state([1, 1, 1, 1, 1, 1])
        #expect(state.batches.count == 5)
        #expect(state.verdict(epoch: 0, sequence: 0, count: 1) == .forgottenDuplicate)
        #expect(state.verdict(epoch: 0, sequence: 1, count: 1) == .duplicate(baseOffset: .init(100)))
        // It reaches into what is remembered, so it is no batch that was stored.
        #expect(state.verdict(epoch: 0, sequence: 0, count: 2) == .outOfOrder)
    }

    @Test func `an older epoch is stale, a newer one begins at 0 and forgets`() {
        var state = state([1], epoch: 3)
        #expect(state.verdict(epoch: 2, sequence: 1, count: 1) == .staleEpoch)
        #expect(state.verdict(epoch: 4, sequence: 1, count: 1) == .outOfOrder)
        #expect(state.verdict(epoch: 4, sequence: 0, count: 1) == .append)
        state.record(epoch: 4, sequence: 0, count: 1, baseOffset: .init(9), at: 5)
        #expect(state.epoch == 4)
        #expect(state.lastSeen == 5)
        #expect(state.verdict(epoch: 4, sequence: 0, count: 1) == .duplicate(baseOffset: .init(9)))
        #expect(state.verdict(epoch: 3, sequence: 1, count: 1) == .staleEpoch)
    }

    @Test(
        arguments: [(0, 1, 1), (.max, 1, 0), (.max - 1, 3, 1), (.max, 0, .max), (5, .max, 4)] as [(Int32, Int32, Int32)]
    )
    func `sequences wrap from the largest number to 0`(sequence: Int32, count: Int32, expected: Int32) {
        #expect(ProducerState.advance(sequence, by: count) == expected)
    }

    @Test func `a batch over the end of the sequences is followed and recognised`() {
        let state = state([4], from: .max - 1)
        #expect(state.verdict(epoch: 0, sequence: 2, count: 1) == .append)
        #expect(state.verdict(epoch: 0, sequence: .max - 1, count: 4) == .duplicate(baseOffset: .init(0)))
        #expect(state.verdict(epoch: 0, sequence: 0, count: 1) == .outOfOrder)
    }
}
