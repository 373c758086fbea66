import Basics
import SegmentLog
import Testing

@testable import Broker

@Suite struct BlockLoadsTests {
    private func waiter(_ index: UInt64) -> BlockLoads.Waiter {
        BlockLoads.Waiter(index: LogIndex(index)) { _ in }
    }

    private func indices(_ waiters: [BlockLoads.Waiter]) -> [UInt64] { waiters.map(\.index.rawValue) }

    @Test func `who wants a block joins the load that begins next before it`() {
        var loads = BlockLoads()
        let isEarly = loads.join(waiter(10))
        let far = loads.begin(from: LogIndex(10)), near = loads.begin(from: LogIndex(50))
        let joined = ([60, 10, 49, 50, 1_000, 9] as [UInt64]).map { loads.join(waiter($0)) }
        #expect(joined == [true, true, true, true, true, false])
        let (ofNear, ofFar) = (loads.end(near), loads.end(far))
        #expect(indices(ofNear) == [60, 50, 1_000])
        #expect(indices(ofFar) == [10, 49])
        let isLate = loads.join(waiter(60))
        #expect(!isEarly && !isLate)
    }

    @Test func `of two loads from one place each ends with those who joined it`() {
        var loads = BlockLoads()
        let first = loads.begin(from: LogIndex(5))
        let hasJoined = loads.join(waiter(6))
        let second = loads.begin(from: LogIndex(5))
        let (ofSecond, ofFirst) = (loads.end(second), loads.end(first))
        #expect(hasJoined && ofSecond.isEmpty)
        #expect(indices(ofFirst) == [6])
    }
}
