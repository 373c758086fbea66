import Basics
import DequeModule
import KafkaWire
import NIOCore

/// The batches of one partition between the accumulator and their acknowledgement: which may be sent, under which
/// sequence number, and what an answer means for those behind.
///
/// A value with no clock and no socket; owned by the sender. Holds at most as many batches as were in flight at once.
///
/// The order of batches is kept by two rules. While batches wait to be sent again, they go out one at a time, oldest
/// first, and new ones wait behind them. And all batches in flight are at one broker.
///
/// A batch that fails for good leaves a gap in the sequence, which the broker would never let later batches cross. The
/// partition then takes a new identity and numbers from 0, once nothing is in flight. A batch of which nobody knows
/// whether it is stored must not be sent under a new identity, because the broker could not recognise it: it fails.
struct PartitionPipeline {
    /// What became of one attempt.
    enum Outcome {
        case stored(BatchDelivery.Receipt)
        /// Another attempt may succeed.
        case retriable(KafkaClientError, mayBeStored: Bool)
        /// The broker expects another sequence number or does not know the producer.
        case outOfOrder(KafkaClientError)
        case refused(KafkaClientError)
    }

    struct Settled {
        var batch: ProducerBatch
        var result: Result<BatchDelivery.Receipt, KafkaClientError>
    }

    let usesSequences: Bool
    private(set) var identity: ProducerIdentity?
    private(set) var nextSequence: Int32 = 0
    /// The broker that has the batches in flight.
    private(set) var node: Int32?
    private var inFlight: [ProducerBatch] = []
    /// To be sent again, in order.
    private var waiting: Deque<ProducerBatch> = []
    private var needsNewIdentity = false

    init(usesSequences: Bool) {
        self.usesSequences = usesSequences
    }

    var isIdle: Bool { inFlight.isEmpty }
    var hasWaiting: Bool { !waiting.isEmpty }
    var isEmpty: Bool { inFlight.isEmpty && waiting.isEmpty }
    var lacksIdentity: Bool { usesSequences && identity == nil }
    var nextDeadline: NIODeadline? { waiting.first?.deadline }

    /// Whether the next batch may go to `node` now.
    func maySend(to node: Int32) -> Bool {
        if inFlight.isEmpty { return true }
        return node == self.node && waiting.isEmpty && !needsNewIdentity
    }

    mutating func adopt(_ identity: ProducerIdentity) {
        invariant(inFlight.isEmpty, "a partition changes its identity only when nothing is in flight")
        self.identity = identity
        nextSequence = 0
    }

    /// The oldest batch that must be sent again.
    mutating func takeWaiting() -> ProducerBatch? { waiting.popFirst() }

    /// Numbers a batch that is about to be sent to `node`, unless it has its number already, and counts it in flight.
    mutating func send(_ batch: consuming ProducerBatch, to node: Int32) -> ProducerBatch {
        invariant(maySend(to: node), "batches are sent in order")
        if usesSequences && !batch.isNumbered, let identity {
            batch.number(identity, sequence: nextSequence)
            nextSequence = Self.sequence(after: nextSequence, records: batch.recordCount)
        }
        self.node = node
        inFlight.append(copy batch)
        return batch
    }

    /// Sequences go on at 0 after `Int32.max`.
    static func sequence(after first: Int32, records: Int32) -> Int32 {
        Int32((Int64(first) + Int64(records)) & 0x7FFF_FFFF)
    }

    /// Takes note of what became of the batch with that order number.
    ///
    /// - Returns: the batches that are done with it.
    mutating func complete(_ order: UInt64, _ outcome: Outcome, now: NIODeadline) -> [Settled] {
        guard let index = inFlight.firstIndex(where: { $0.order == order }) else { return [] }
        var batch = inFlight.remove(at: index)
        var settled: [Settled] = []
        switch outcome {
        case .stored(let receipt):
            settled.append(Settled(batch: batch, result: .success(receipt)))
        case .retriable(let error, let mayBeStored):
            batch.mayBeStored = batch.mayBeStored || mayBeStored
            if batch.deadline <= now {
                settled.append(fail(batch, error))
            } else {
                wait(batch)
            }
        case .outOfOrder(let error):
            settled += outOfOrder(batch, error)
        case .refused(let error):
            settled.append(fail(batch, error))
        }
        return settled + changeIdentityIfNeeded()
    }

    private mutating func outOfOrder(_ batch: ProducerBatch, _ error: KafkaClientError) -> [Settled] {
        let hasFailedBefore = needsNewIdentity || waiting.contains { $0.order < batch.order }
        // Behind a failed batch this is what must happen. Otherwise the broker has lost count.
        if hasFailedBefore {
            wait(batch)
            return []
        }
        if batch.mayBeStored || !usesSequences { return [fail(batch, error)] }
        needsNewIdentity = true
        wait(batch)
        return []
    }

    /// The batches that ran out of time while waiting to be sent again.
    mutating func expire(now: NIODeadline) -> [Settled] {
        var settled: [Settled] = []
        while let batch = waiting.first, batch.deadline <= now {
            waiting.removeFirst()
            settled.append(fail(batch, KafkaClientError(.deliveryTimedOut, "no acknowledgement in time")))
        }
        return settled + changeIdentityIfNeeded()
    }

    /// Gives up everything that waits to be sent again.
    mutating func abandon(_ error: KafkaClientError) -> [Settled] {
        let abandoned = waiting
        waiting = []
        return abandoned.map { fail($0, error) }
    }

    private mutating func fail(_ batch: ProducerBatch, _ error: KafkaClientError) -> Settled {
        if batch.isNumbered { needsNewIdentity = true }
        var error = error
        error.mayHaveBeenStored = error.mayHaveBeenStored || batch.mayBeStored
        return Settled(batch: batch, result: .failure(error))
    }

    private mutating func wait(_ batch: ProducerBatch) {
        let index = waiting.firstIndex { $0.order > batch.order } ?? waiting.endIndex
        waiting.insert(batch, at: index)
    }

    private mutating func changeIdentityIfNeeded() -> [Settled] {
        guard needsNewIdentity, inFlight.isEmpty else { return [] }
        var settled: [Settled] = []
        var kept: Deque<ProducerBatch> = []
        for var batch in waiting {
            if batch.mayBeStored {
                let error = KafkaClientError(.deliveryTimedOut, "a batch before this one failed")
                settled.append(fail(batch, error))
            } else {
                batch.forgetNumber()
                kept.append(batch)
            }
        }
        waiting = kept
        identity = nil
        nextSequence = 0
        needsNewIdentity = false
        return settled
    }
}
