import Basics
import DequeModule

/// What the core remembers of the local log: where each term begins, how far it is flushed, and the newest blocks.
///
/// Owned by `Replica`, changed only within a step. The term starts grow by one entry a term; the tail is bounded by
/// `tailBytesMax` plus what is not flushed yet; the list of unflushed appends by what the driver has not flushed.
struct LogView: Sendable {
    /// One call to append, kept until it is flushed.
    private struct Unflushed: Sendable {
        var last: LogIndex
        var since: Instant
    }

    let firstIndex: LogIndex
    private(set) var lastIndex: LogIndex
    /// Everything up to here is on stable storage. A truncation lowers it.
    private(set) var flushedIndex: LogIndex
    /// Counts truncations: the completion of a flush that began before one says nothing about what came after it.
    private(set) var storageEpoch: StorageEpoch = 0

    private var termStarts: [RecoveredLog.TermStart]
    private var tail: Deque<BlockInfo> = []
    private var tailBytes = 0
    private let tailBytesMax: Int
    private var unflushed: Deque<Unflushed> = []

    init(_ log: RecoveredLog, tailBytesMax: Int) {
        invariant(
            log.firstIndex > .zero && log.lastIndex.next >= log.firstIndex,
            "a log from \(log.firstIndex) to \(log.lastIndex)")
        invariant(
            log.lastIndex < log.firstIndex || (log.termStarts.first.map { $0.index <= log.firstIndex } ?? false),
            "no term known for index \(log.firstIndex)")
        invariant(
            zip(log.termStarts, log.termStarts.dropFirst()).allSatisfy { $0.index < $1.index && $0.term < $1.term },
            "term starts must ascend: \(log.termStarts)")
        firstIndex = log.firstIndex
        lastIndex = log.lastIndex
        flushedIndex = log.lastIndex
        termStarts = log.termStarts
        self.tailBytesMax = tailBytesMax
    }

    // MARK: Terms

    var lastTerm: Term { termStarts.last?.term ?? .zero }

    /// The term of an entry; nil when the log does not reach there or its front was reclaimed. Index 0 has term 0.
    func term(at index: LogIndex) -> Term? {
        if index == .zero { return .zero }
        guard index >= firstIndex, index <= lastIndex else { return nil }
        return termStarts[runCount(beginningAtOrBelow: index) - 1].term
    }

    /// The last entry at or below `index` whose term is not above `term`. Skips a whole term at each turn, which is
    /// what makes the back-up of a diverged follower fast (Raft paper §5.3, end).
    func lastIndex(atOrBelow index: LogIndex, termAtMost term: Term) -> LogIndex {
        var end = min(index, lastIndex)
        for run in termStarts[..<runCount(beginningAtOrBelow: end)].reversed() {
            if run.term <= term { break }
            end = run.index.previous
        }
        return end
    }

    /// How many term runs begin at or below `index`, by bisection.
    private func runCount(beginningAtOrBelow index: LogIndex) -> Int {
        if let last = termStarts.last, last.index <= index { return termStarts.count }
        var low = 0
        var high = termStarts.count
        while low < high {
            let middle = (low + high) / 2
            if termStarts[middle].index <= index { low = middle + 1 } else { high = middle }
        }
        return low
    }

    // MARK: Change

    mutating func append(_ blocks: some Collection<BlockInfo>, now: Instant) {
        for block in blocks {
            invariant(block.base == lastIndex.next, "block at \(block.base) appended behind \(lastIndex)")
            invariant(block.count > 0, "empty block at \(block.base)")
            invariant(block.term >= lastTerm, "term \(block.term) at \(block.base) behind term \(lastTerm)")
            if block.term > lastTerm { termStarts.append(.init(index: block.base, term: block.term)) }
            lastIndex = block.last
            tail.append(block)
            tailBytes += block.bytes
        }
        unflushed.append(Unflushed(last: lastIndex, since: now))
        evict()
    }

    /// Cuts off the entry at `index` and all behind it.
    mutating func truncate(from index: LogIndex) {
        invariant(index >= firstIndex && index <= lastIndex, "cut at \(index) in \(firstIndex)...\(lastIndex)")
        invariant(
            tail.last.map { $0.last == lastIndex } ?? true, "tail ends before the log's last index \(lastIndex)")
        lastIndex = index.previous
        flushedIndex = min(flushedIndex, lastIndex)
        storageEpoch += 1
        while let run = termStarts.last, run.index > lastIndex { termStarts.removeLast() }
        while let block = tail.last, block.last > lastIndex {
            invariant(block.base > lastIndex, "cut at \(index) within the block at \(block.base)")
            tailBytes -= block.bytes
            tail.removeLast()
        }
        while let append = unflushed.last, append.last > lastIndex {
            unflushed.removeLast()
            let begin = unflushed.last?.last ?? flushedIndex
            if begin < lastIndex { unflushed.append(Unflushed(last: lastIndex, since: append.since)) }
        }
    }

    /// Takes note of a flush. False when it tells nothing new, above all when it belongs to another storage epoch.
    mutating func flush(through index: LogIndex, epoch: StorageEpoch) -> Bool {
        guard epoch == storageEpoch, index > flushedIndex else { return false }
        invariant(index <= lastIndex, "flushed through \(index) but appended only through \(lastIndex)")
        flushedIndex = index
        while let append = unflushed.first, append.last <= index { unflushed.removeFirst() }
        evict()
        return true
    }

    /// Since when the oldest unflushed append has been waiting.
    var unflushedSince: Instant? { unflushed.first?.since }

    // MARK: Tail

    /// The first index that can be sent from memory; one past the last index when none can.
    var tailFirstIndex: LogIndex { tail.first?.base ?? lastIndex.next }

    /// Whole blocks from the tail beginning with the one that contains `index`: at least one, and otherwise no more
    /// than `maxBytes`.
    func tailBlocks(from index: LogIndex, maxBytes: Int) -> [BlockInfo] {
        invariant(index >= tailFirstIndex && index <= lastIndex, "index \(index) is not in the tail")
        var low = 0
        var high = tail.count
        while low < high {
            let middle = (low + high) / 2
            if tail[middle].last < index { low = middle + 1 } else { high = middle }
        }
        var end = low
        var bytes = 0
        repeat {
            bytes += tail[end].bytes
            end += 1
        } while end < tail.count && bytes + tail[end].bytes <= maxBytes
        return Array(tail[low..<end])
    }

    /// Blocks leave the tail only when flushed: what the driver is asked to read must be in the file.
    private mutating func evict() {
        while tailBytes > tailBytesMax, tail.count > 1, tail[0].last <= flushedIndex {
            tailBytes -= tail.removeFirst().bytes
        }
    }
}
