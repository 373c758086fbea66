import Basics
import Testing

@testable import Broker

@Suite struct ResumePointsTests {
    private let key = PartitionKey(TopicNumber(1), 2)

    @Test func `a point is found by its partition and offset, and by no others`() {
        var points = ResumePoints()
        #expect(points.index(of: Offset(5), in: key) == nil)
        points.remember(Offset(5), of: key, at: LogIndex(9))
        #expect(points.index(of: Offset(5), in: key) == LogIndex(9))
        #expect(points.index(of: Offset(6), in: key) == nil)
        #expect(points.index(of: Offset(5), in: PartitionKey(TopicNumber(1), 3)) == nil)
    }

    @Test func `readers of many partitions hardly take each other's slots`() {
        var points = ResumePoints()
        let keys = (0..<1_000).map { PartitionKey(TopicNumber(7), Int32($0)) }
        for key in keys { points.remember(Offset(1_000), of: key, at: LogIndex(1)) }
        let kept = keys.count { points.index(of: Offset(1_000), in: $0) != nil }
        #expect(kept > 800)
    }

    @Test func `with more points than slots the newest are found, and none is wrong`() {
        var points = ResumePoints()
        let count = UInt64(3 * ResumePoints.slotCount)
        for number in 1...count { points.remember(Offset(Int64(number)), of: key, at: LogIndex(number)) }
        #expect(points.index(of: Offset(Int64(count)), in: key) == LogIndex(count))
        for number in 1...count {
            let found = points.index(of: Offset(Int64(number)), in: key)
            #expect(found == nil || found == LogIndex(number))
        }
    }
}
