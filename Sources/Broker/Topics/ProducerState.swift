import Basics

/// What a partition remembers of one idempotent producer (KIP-98): enough to tell a repeated batch from a new one and
/// a new one from a gap.
///
/// Part of the replicated state, so that a retry after a change of leader is recognised.
struct ProducerState: Hashable, Sendable {
    struct Batch: Hashable, Sendable {
        var firstSequence: Int32
        var lastSequence: Int32
        var baseOffset: Offset
    }

    /// Batches remembered: a client has at most five requests under way.
    static let batchesMax = 5

    enum Verdict: Hashable, Sendable {
        case append
        case duplicate(baseOffset: Offset)
        /// A batch from before those remembered: it is stored, nobody knows where any more.
        case forgottenDuplicate
        case staleEpoch
        case outOfOrder
    }

    var epoch: Int16
    var lastSeen: Milliseconds
    private(set) var batches: [Batch] = []

    init(epoch: Int16, lastSeen: Milliseconds) {
        self.epoch = epoch
        self.lastSeen = lastSeen
    }

    /// What to do with a batch of `count` records beginning at `sequence`.
    func verdict(epoch: Int16, sequence: Int32, count: Int32) -> Verdict {
        if epoch < self.epoch { return .staleEpoch }
        if epoch > self.epoch { return sequence == 0 ? .append : .outOfOrder }
        let last = Self.advance(sequence, by: count - 1)
        if let known = batches.first(where: { $0.firstSequence == sequence && $0.lastSequence == last }) {
            return .duplicate(baseOffset: known.baseOffset)
        }
        guard let oldest = batches.first, let newest = batches.last else { return .append }
        // Sequences have no gaps, so what ends before the oldest batch remembered was stored. Its producer never heard
        // so: the answer was lost with a leadership, and newer batches went ahead of the repetition.
        if batches.count == Self.batchesMax, Self.isBefore(last, oldest.firstSequence) { return .forgottenDuplicate }
        return sequence == Self.advance(newest.lastSequence, by: 1) ? .append : .outOfOrder
    }

    /// Whether a batch that is refused overlaps what is stored, so that nothing sent before it can make it fit.
    func contradicts(epoch: Int16, sequence: Int32) -> Bool {
        guard epoch == self.epoch, let newest = batches.last else { return false }
        return !Self.isBefore(newest.lastSequence, sequence)
    }

    mutating func record(epoch: Int16, sequence: Int32, count: Int32, baseOffset: Offset, at time: Milliseconds) {
        if epoch > self.epoch {
            self.epoch = epoch
            batches.removeAll(keepingCapacity: true)
        }
        if batches.count == Self.batchesMax { batches.removeFirst() }
        batches.append(
            Batch(
                firstSequence: sequence, lastSequence: Self.advance(sequence, by: count - 1), baseOffset: baseOffset))
        lastSeen = time
    }

    /// Whether `sequence` comes before `other` on the circle of sequences, less than half of it away.
    private static func isBefore(_ sequence: Int32, _ other: Int32) -> Bool {
        let distance = (Int64(other) - Int64(sequence)) & Int64(Int32.max)
        return distance > 0 && distance < 1 << 30
    }

    /// Sequences wrap from the largest Int32 to 0.
    static func advance(_ sequence: Int32, by count: Int32) -> Int32 {
        Int32(truncatingIfNeeded: (Int64(sequence) + Int64(count)) & Int64(Int32.max))
    }
}
