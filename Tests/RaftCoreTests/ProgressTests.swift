import Basics
import Testing

@testable import RaftCore

@Suite struct ProgressTests {
    private let start = Instant.zero

    private func index(_ value: UInt64) -> LogIndex { LogIndex(value) }

    private func blocks(_ base: UInt64, _ count: Int, bytes: Int = 100) -> [BlockInfo] {
        [BlockInfo(base: LogIndex(base), count: count, term: Term(1), bytes: bytes)]
    }

    private func replicating(next: UInt64) -> Progress {
        var peer = Progress(id: NodeID(2), next: index(next), epoch: 1, now: start)
        peer.replicate()
        return peer
    }

    @Test("sending moves next, fills the window and leaves match alone; acknowledging frees whole requests")
    func window() {
        var peer = replicating(next: 5)
        peer.sent(blocks(5, 2))
        peer.sent(blocks(7, 3))
        #expect(peer.next == index(10))
        #expect(peer.inflightBytes == 200)
        #expect(peer.hasWindow(bytesMax: 201))
        #expect(!peer.hasWindow(bytesMax: 200))
        peer.acknowledge(through: index(7), now: start)
        #expect(peer.match == index(7))
        #expect(peer.inflightBytes == 100)
        peer.acknowledge(through: index(9), now: start)
        #expect(peer.inflightBytes == 0)
    }

    @Test("an older acknowledgement takes nothing back")
    func monotone() {
        var peer = replicating(next: 5)
        peer.sent(blocks(5, 5))
        peer.acknowledge(through: index(9), now: start)
        peer.acknowledge(through: index(4), now: start)
        #expect(peer.match == index(9))
        #expect(peer.next == index(10))
    }

    @Test("a first block may begin before next, when next lies within it")
    func withinBlock() {
        var peer = replicating(next: 8)
        peer.sent(blocks(6, 5))
        #expect(peer.next == index(11))
    }

    @Test("an acknowledgement beyond next moves next: the follower had more than the leader knew")
    func beyondNext() {
        var peer = Progress(id: NodeID(2), next: index(3), epoch: 1, now: start)
        peer.acknowledge(through: index(8), now: start)
        #expect(peer.next == index(9))
    }

    @Test("a new probe forgets what was in flight and keeps what was acknowledged")
    func probe() {
        var peer = replicating(next: 5)
        peer.sent(blocks(5, 5))
        peer.acknowledge(through: index(4), now: start)
        peer.reading()
        peer.probe(from: index(5), epoch: 2, now: start)
        #expect(peer.state == .probe)
        #expect(peer.epoch == 2)
        #expect(peer.inflightBytes == 0)
        #expect(!peer.isReading)
        #expect(peer.match == index(4))
        #expect(peer.next == index(5))
    }

    @Test("a follower that contradicts its own acknowledgement no longer counts for the quorum")
    func lostDisk() {
        var peer = replicating(next: 5)
        peer.sent(blocks(5, 5))
        peer.acknowledge(through: index(9), now: start)
        peer.probe(from: index(1), epoch: 2, now: start)
        #expect(peer.match == .zero)
    }

    @Test("silence needs something in flight and no answer of this epoch")
    func silence() {
        let limit = TimeSpan.milliseconds(300)
        let late = start + .milliseconds(301)
        var peer = replicating(next: 5)
        #expect(!peer.isSilent(for: limit, now: late))
        peer.sent(blocks(5, 5))
        #expect(peer.isSilent(for: limit, now: late))
        #expect(!peer.isSilent(for: limit, now: start + limit))
        peer.contacted(round: 0, now: late)
        #expect(peer.isSilent(for: limit, now: late))
        peer.acknowledge(through: index(4), now: late)
        #expect(!peer.isSilent(for: limit, now: late))
    }
}
