import Basics
import KafkaWire
import Synchronization

/// The fate of one batch, awaited by the senders of its records.
///
/// Shared by the producer, which settles it once, and any number of tasks that wait; one object for each batch, not for
/// each record.
final class BatchDelivery: Sendable {
    struct Receipt: Sendable {
        /// Nil if the broker did not tell.
        var baseOffset: Int64?
        var appendTime: Milliseconds?
    }

    private typealias Waiter = CheckedContinuation<Result<Receipt, KafkaClientError>, Never>

    private struct State {
        var result: Result<Receipt, KafkaClientError>?
        var waiters: [UInt64: Waiter] = [:]
        var nextID: UInt64 = 0
    }

    let partition: TopicPartition
    private let state = Mutex(State())

    init(_ partition: TopicPartition) {
        self.partition = partition
    }

    func settle(_ result: Result<Receipt, KafkaClientError>) {
        let waiters = state.withLock { state in
            state.result = result
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        for waiter in waiters { waiter.resume(returning: result) }
    }

    /// Waits until the batch is settled.
    ///
    /// - Throws: what it was settled with, or `cancelled` when the task is cancelled; the batch goes its way all the
    ///   same.
    func receipt() async throws(KafkaClientError) -> Receipt {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in wait(waiter, id: id) }
        } onCancel: {
            let waiter = state.withLock { $0.waiters.removeValue(forKey: id) }
            waiter?.resume(returning: .failure(.cancelled))
        }
        return try result.get()
    }

    private func wait(_ waiter: Waiter, id: UInt64) {
        let result: Result<Receipt, KafkaClientError>? = state.withLock { state in
            if let result = state.result { return result }
            // Cancelled before it could wait: the handler found nobody to wake.
            if Task.isCancelled { return .failure(.cancelled) }
            state.waiters[id] = waiter
            return nil
        }
        if let result { waiter.resume(returning: result) }
    }
}

/// A record that the producer has taken and will deliver.
public struct Delivery: Sendable {
    let batch: BatchDelivery
    /// The record's place in its batch.
    let position: Int32

    /// Waits until the record is stored.
    ///
    /// - Throws: ``KafkaClientError`` if it was not; `cancelled` when the task is cancelled, which does not call the
    ///   record back.
    public var metadata: RecordMetadata {
        get async throws(KafkaClientError) {
            let receipt = try await batch.receipt()
            return RecordMetadata(
                topic: batch.partition.topic,
                partition: batch.partition.partition,
                offset: receipt.baseOffset.map { $0 &+ Int64(position) },
                appendTime: receipt.appendTime
            )
        }
    }
}
