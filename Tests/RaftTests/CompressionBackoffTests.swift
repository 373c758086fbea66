import SegmentLog
import Testing

@testable import Raft

@Suite struct CompressionBackoffTests {
    /// Which of `count` blocks are tried, when those for which `shrinks` says so shrink.
    private func tried(_ count: Int, where shrinks: (Int) -> Bool) -> [Int] {
        var backoff = CompressionBackoff()
        var tried: [Int] = []
        for block in 0..<count {
            guard backoff.next() != nil else { continue }
            tried.append(block)
            backoff.record(didShrink: shrinks(block))
        }
        return tried
    }

    @Test func `what compresses is always compressed`() {
        #expect(tried(100) { _ in true } == Array(0..<100))
    }

    @Test func `what does not compress is tried less and less, and never given up`() {
        #expect(tried(100) { _ in false } == [0, 2, 6, 14, 30, 46, 62, 78, 94])
    }

    @Test func `once something did not compress, samples decide`() {
        var backoff = CompressionBackoff()
        #expect(backoff.next() == .whole)
        backoff.record(didShrink: false)
        #expect(backoff.next() == nil && backoff.next() == .sample)
        backoff.record(didShrink: true)
        #expect(backoff.next() == .whole)
    }

    @Test func `a change is noticed within sixteen blocks, and then all are compressed again`() {
        let after = tried(200) { $0 >= 101 }.filter { $0 >= 101 }
        #expect(after.first.map { $0 - 101 < 16 } == true)
        #expect(after == Array((after.first ?? 0)..<200))
    }

    @Test func `one block that does not shrink among many costs one other`() {
        let tried = tried(100) { $0 % 50 != 10 }
        #expect(tried == (0..<100).filter { $0 != 11 && $0 != 61 })
    }
}
