import Basics
import DequeModule

/// What a leader knows of one follower.
///
/// Owned by `Leader`, dies with the leadership. Bounded: `inflight` has one entry for each request under way, and
/// requests stop when `inflightBytes` reaches the window.
///
///                  matched                     silence, conflict, disconnect
///     probe ─────────────────────▶ replicate ─────────────────────────────────▶ probe, in a new epoch
///     (asks at next-1,             (next runs ahead of the answers,
///      sends no blocks)             many requests under way)
///
struct Progress: Sendable {
    enum State: String, Hashable, Sendable {
        /// Where the logs agree is not known: empty requests ask, one for each heartbeat.
        case probe
        /// The logs agree below `next`: requests follow one another without waiting for answers.
        case replicate
    }

    private struct Inflight: Sendable {
        var last: LogIndex
        var bytes: Int
    }

    let id: NodeID
    private(set) var state: State = .probe
    private(set) var epoch: ReplicationEpoch
    /// The follower's log equals the leader's up to here and is flushed there.
    private(set) var match: LogIndex = .zero
    /// The next entry to send.
    private(set) var next: LogIndex
    private(set) var inflightBytes = 0
    private var inflight: Deque<Inflight> = []
    /// The newest commit index that it was told in this epoch.
    private(set) var announcedCommit: LogIndex = .zero
    /// A read of the log for this follower is under way.
    private(set) var isReading = false
    /// The last answer in the leader's term, of whatever epoch: the follower is there and accepts the leader.
    private(set) var lastContact: Instant
    /// The last answer in this epoch, or its beginning: what is in flight still arrives.
    private var lastAnswer: Instant
    /// The newest round of leadership verification the follower has answered.
    private(set) var round: UInt64 = 0

    init(id: NodeID, next: LogIndex, epoch: ReplicationEpoch, now: Instant) {
        self.id = id
        self.next = next
        self.epoch = epoch
        lastContact = now
        lastAnswer = now
    }

    /// Begins a new epoch by asking at `next - 1`. What was in flight counts for nothing any more.
    mutating func probe(from next: LogIndex, epoch: ReplicationEpoch, now: Instant) {
        invariant(epoch > self.epoch, "epoch \(epoch) after \(self.epoch)")
        invariant(next > .zero, "probe before the first index")
        state = .probe
        self.epoch = epoch
        self.next = next
        // A follower that contradicts what it acknowledged has lost its disk: it no longer counts for the quorum.
        match = min(match, next.previous)
        inflight.removeAll(keepingCapacity: true)
        inflightBytes = 0
        isReading = false
        announcedCommit = .zero
        lastAnswer = now
    }

    mutating func replicate() {
        invariant(inflight.isEmpty && !isReading, "blocks under way to \(id) while probing")
        state = .replicate
    }

    mutating func contacted(round: UInt64, now: Instant) {
        lastContact = max(lastContact, now)
        self.round = max(self.round, round)
    }

    /// Takes a `matched` answer of this epoch.
    mutating func acknowledge(through flushed: LogIndex, now: Instant) {
        lastAnswer = max(lastAnswer, now)
        match = max(match, flushed)
        next = max(next, match.next)
        while let request = inflight.first, request.last <= match {
            inflightBytes -= request.bytes
            inflight.removeFirst()
        }
        invariant(inflightBytes >= 0 && match < next, "\(id): match \(match), next \(next), \(inflightBytes) in flight")
    }

    /// Takes note of a request that carries `blocks` from `next` on.
    mutating func sent(_ blocks: [BlockInfo]) {
        invariant(state == .replicate, "blocks sent to \(id) while probing")
        guard let first = blocks.first, let last = blocks.last else { return }
        invariant(first.base <= next && next <= last.last, "sent \(first.base)...\(last.last) to \(id), next \(next)")
        let bytes = blocks.reduce(0) { $0 + $1.bytes }
        inflight.append(Inflight(last: last.last, bytes: bytes))
        inflightBytes += bytes
        next = last.last.next
        isReading = false
    }

    mutating func announced(commit: LogIndex) { announcedCommit = commit }

    mutating func reading() {
        invariant(state == .replicate && !isReading, "second read for \(id)")
        isReading = true
    }

    /// The read brought only what the follower has acknowledged in the meantime.
    mutating func readSuperseded() { isReading = false }

    func hasWindow(bytesMax: Int) -> Bool { inflightBytes < bytesMax }

    /// Blocks are under way, and not even a heartbeat behind them was answered for `limit`.
    func isSilent(for limit: TimeSpan, now: Instant) -> Bool { !inflight.isEmpty && now - lastAnswer > limit }
}
