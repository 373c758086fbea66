import Basics
import Testing

@testable import Broker

@Suite struct ReadAheadTests {
    private func index(_ value: UInt64) -> LogIndex { LogIndex(value) }

    @Test func aSingleLoadIsNoSequence() {
        var ahead = ReadAhead()
        ahead.loaded(index(1), through: index(10))
        #expect(ahead.reading(index(1)) == nil)
    }

    @Test func theSecondOfTwoLoadsInARowCallsForAThirdOnce() {
        var ahead = ReadAhead()
        ahead.loaded(index(1), through: index(10))
        ahead.loaded(index(11), through: index(20))
        #expect(ahead.reading(index(10)) == nil)
        #expect(ahead.reading(index(15)) == index(21))
        #expect(ahead.reading(index(16)) == nil)
        ahead.loaded(index(21), through: index(30))
        #expect(ahead.reading(index(17)) == nil)
        #expect(ahead.reading(index(21)) == index(31))
    }

    @Test func aLoadElsewhereEndsTheSequence() {
        var ahead = ReadAhead()
        ahead.loaded(index(1), through: index(10))
        ahead.loaded(index(11), through: index(20))
        ahead.loaded(index(1), through: index(10))
        #expect(ahead.reading(index(5)) == nil)
        #expect(ahead.reading(index(15)) == nil)
    }

    @Test func readingElsewhereCallsForNothing() {
        var ahead = ReadAhead()
        ahead.loaded(index(1), through: index(10))
        ahead.loaded(index(11), through: index(20))
        #expect(ahead.reading(index(21)) == nil)
        #expect(ahead.reading(index(20)) == index(21))
    }
}
