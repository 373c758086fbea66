import Basics
import NIOCore
import NIOEmbedded
import Testing

@testable import Broker

@Suite struct ColdReadPacerTests {
    private final class Fixture {
        let loop = EmbeddedEventLoop()
        let pacer: ColdReadPacer
        private(set) var begun: [Int] = []
        private(set) var turns: [ColdReadPacer.Turn] = []

        init(percent: Int = 50) {
            var configuration = ColdReadConfiguration()
            configuration.percent = percent
            pacer = ColdReadPacer(configuration, eventLoop: loop)
        }

        func request(_ number: Int, bytes: Int = 2.mebibytes) {
            pacer.requestTurn(for: bytes) { [unowned self] turn in
                begun.append(number)
                turns.append(turn)
            }
        }

        /// Producers at work on a loop that is late with everything.
        func keepBusy(producing bytes: Int = 1) {
            for _ in 0..<32 { pacer.observe(lateness: .milliseconds(5)) }
            pacer.produced(bytes)
        }

        /// Takes the credit that was saved up.
        func spendCredit() {
            request(0, bytes: 1)
            pacer.finished(turns[0], bytes: 8.mebibytes)
        }
    }

    @Test func nobodyWaitsWhileNothingIsProduced() {
        let fixture = Fixture()
        for _ in 0..<32 { fixture.pacer.observe(lateness: .milliseconds(5)) }
        for number in 1...100 { fixture.request(number) }
        #expect(fixture.begun == Array(1...100))
    }

    @Test func nobodyWaitsWhileTheLoopIsInTime() {
        let fixture = Fixture()
        fixture.pacer.produced(1)
        for number in 1...100 { fixture.request(number) }
        #expect(fixture.begun == Array(1...100))
    }

    @Test func whileProducersKeepTheLoopBusyLoadsGetHalfOfWhatIsProduced() {
        let fixture = Fixture()
        fixture.keepBusy()
        fixture.spendCredit()
        for number in 1...3 { fixture.request(number) }
        #expect(fixture.begun == [0])
        #expect(fixture.pacer.waitingCount == 3)
        fixture.pacer.produced(1.mebibytes)
        #expect(fixture.begun == [0, 1])
        // What the first one is expected to bring is taken: half of the rest is not enough for a second.
        fixture.pacer.produced(1.mebibytes)
        #expect(fixture.begun == [0, 1])
        fixture.pacer.finished(fixture.turns[1], bytes: 1.mebibytes)
        #expect(fixture.begun == [0, 1])
        fixture.pacer.produced(1.mebibytes)
        #expect(fixture.begun == [0, 1, 2])
    }

    @Test func whatWasSavedUpIsBounded() {
        let fixture = Fixture()
        fixture.keepBusy(producing: 1_000.mebibytes)
        for number in 1...100 { fixture.request(number, bytes: 2.mebibytes) }
        #expect(fixture.begun == Array(1...4))
    }

    @Test func turnsAreGivenInTheOrderOfAskingWhenProducersAreGone() {
        let fixture = Fixture()
        fixture.keepBusy()
        fixture.spendCredit()
        for number in 1...5 { fixture.request(number) }
        #expect(fixture.begun == [0])
        fixture.loop.advanceTime(by: .milliseconds(150))
        #expect(fixture.begun == Array(0...5))
    }

    @Test func nobodyWaitsForEver() {
        let fixture = Fixture()
        fixture.keepBusy()
        fixture.spendCredit()
        fixture.request(1)
        for _ in 0..<99 {
            fixture.loop.advanceTime(by: .milliseconds(10))
            fixture.keepBusy()
        }
        #expect(fixture.begun == [0])
        fixture.loop.advanceTime(by: .milliseconds(10))
        #expect(fixture.begun == [0, 1])
    }

    @Test func withoutALimitNobodyWaits() {
        let fixture = Fixture(percent: 0)
        fixture.keepBusy(producing: 100)
        for number in 1...100 { fixture.request(number) }
        #expect(fixture.begun == Array(1...100))
    }

    @Test func whoWaitsIsDroppedAtTheEnd() {
        let fixture = Fixture()
        fixture.keepBusy()
        fixture.spendCredit()
        fixture.request(1)
        fixture.pacer.shutdown()
        fixture.loop.advanceTime(by: .seconds(5))
        #expect(fixture.begun == [0])
    }
}
