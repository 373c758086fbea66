import Synchronization

/// What of a member's state its iterator asks for with every record: shared under a lock, so that a record costs no
/// change of threads.
///
/// Owner: a `GroupSession`, its iterator and its heartbeats. Bounded by the partitions that the member owns.
final class GroupProgress: Sendable {
    private struct State {
        var owned: Set<TopicPartition> = []
        /// The next offset of each partition, behind what was handled.
        var consumed: [TopicPartition: Int64] = [:]
        /// The same, behind what was given out last.
        var givenOut: [TopicPartition: Int64] = [:]
        var hasNews = true
    }

    private let state = Mutex(State())

    var owned: Set<TopicPartition> { state.withLock { $0.owned } }
    var consumed: [TopicPartition: Int64] { state.withLock { $0.consumed } }

    /// Whether the iterator must see to the session before it gives out more.
    var hasNews: Bool {
        get { state.withLock { $0.hasNews } }
        set { state.withLock { $0.hasNews = newValue } }
    }

    func owns(_ partition: TopicPartition) -> Bool { state.withLock { $0.owned.contains(partition) } }

    func gaveOut(_ records: [ConsumerRecord]) {
        guard let last = records.last else { return }
        state.withLock { $0.givenOut[TopicPartition(last.topic, last.partition)] = last.offset + 1 }
    }

    /// What was given out before is handled: the next record is asked for.
    func consumedGivenOut() {
        state.withLock { state in
            guard !state.givenOut.isEmpty else { return }
            state.consumed.merge(state.givenOut) { _, new in new }
            state.givenOut.removeAll(keepingCapacity: true)
        }
    }

    func add(_ partitions: some Sequence<TopicPartition>) { state.withLock { $0.owned.formUnion(partitions) } }

    func remove(_ partitions: Set<TopicPartition>) {
        state.withLock { state in
            state.owned.subtract(partitions)
            for partition in partitions {
                state.consumed[partition] = nil
                state.givenOut[partition] = nil
            }
        }
    }

    /// These offsets are stored: they need not be committed again.
    func committed(_ offsets: [TopicPartition: Int64]) {
        state.withLock { state in
            for (partition, offset) in offsets {
                if let consumed = state.consumed[partition], consumed <= offset { state.consumed[partition] = nil }
                if let givenOut = state.givenOut[partition], givenOut <= offset { state.givenOut[partition] = nil }
            }
        }
    }
}
