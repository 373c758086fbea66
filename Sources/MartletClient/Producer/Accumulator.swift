import Basics
import DequeModule
import KafkaWire
import NIOCore
import Synchronization

/// The records that wait to be sent, by partition; and the bound on the bytes of all records that are not yet
/// acknowledged.
///
/// Shared by the tasks that send, on any thread, and the sender on its event loop, under one lock that is held for the
/// time of one copy of a record.
final class Accumulator: Sendable {
    /// Tasks wait for room in the order they came.
    private struct SpaceWaiter {
        let id: UInt64
        let bytes: Int
        let continuation: CheckedContinuation<Result<Void, KafkaClientError>, Never>
    }

    private struct Topic {
        var partitions: [PartitionQueue]
        /// Where records without a key go until they have filled a batch there (KIP-794).
        var sticky: Int
        var stickyBytes = 0

        mutating func stick(_ bytes: Int, batchBytes: Int) -> Int {
            if stickyBytes + bytes > batchBytes {
                sticky = Int.random(in: partitions.indices)
                stickyBytes = 0
            }
            stickyBytes += bytes
            return sticky
        }
    }

    private struct State {
        var topics: [String: Topic] = [:]
        /// Partitions whose queue is not empty.
        var pending: Set<TopicPartition> = []
        var bufferedBytes = 0
        var waiters: Deque<SpaceWaiter> = []
        var nextWaiterID: UInt64 = 0
        /// While positive, no batch lingers.
        var flushes = 0
        var isClosed = false
        /// Batches not yet settled, so that a flush knows what to wait for.
        var unsettled: [ObjectIdentifier: BatchDelivery] = [:]
        var firstFailure: KafkaClientError?
    }

    enum Appended {
        /// The sender should be told if `isNews`.
        case done(Delivery, isNews: Bool)
        case unknownTopic
        case full
    }

    private let configuration: ProducerConfiguration
    private let state = Mutex(State())

    init(_ configuration: ProducerConfiguration) {
        self.configuration = configuration
    }

    // MARK: - Appending

    /// Adds a record if its topic is known and there is room.
    ///
    /// - Parameter reserved: whether its bytes were reserved already, by ``waitForRoom(_:)``.
    func append(_ record: ProducerRecord, bytes: Int, reserved: Bool) throws(KafkaClientError) -> Appended {
        let timestamp = record.timestamp ?? WallClock.now()
        let result = state.withLock { state -> Result<Appended, KafkaClientError> in
            if state.isClosed { return .failure(.closed) }
            guard let count = state.topics[record.topic]?.partitions.count, count > 0 else {
                return .success(.unknownTopic)
            }
            guard reserved || reserve(bytes, &state) else { return .success(.full) }
            let partition: Int
            switch choosePartition(record, bytes: bytes, count: count, &state) {
            case .success(let chosen): partition = chosen
            case .failure(let error):
                release(bytes, &state)
                return .failure(error)
            }
            let appended = state.topics[record.topic]?.partitions[partition].append(
                record, bytes: bytes, timestamp: timestamp, batchBytes: configuration.batchBytes,
                codec: configuration.codec)
            switch appended {
            case .joined(let delivery):
                return .success(.done(delivery, isNews: false))
            case .opened(let delivery):
                track(delivery, &state)
                return .success(.done(delivery, isNews: true))
            case nil:
                return .success(.unknownTopic)
            }
        }
        return try result.get()
    }

    func append(
        _ batch: RecordBatch, to partition: TopicPartition, bytes: Int, reserved: Bool
    ) throws(KafkaClientError) -> Appended {
        let result = state.withLock { state -> Result<Appended, KafkaClientError> in
            if state.isClosed { return .failure(.closed) }
            guard let count = state.topics[partition.topic]?.partitions.count, count > 0 else {
                return .success(.unknownTopic)
            }
            guard reserved || reserve(bytes, &state) else { return .success(.full) }
            let index = Int(partition.partition)
            guard (0..<count).contains(index),
                let delivery = state.topics[partition.topic]?.partitions[index].append(batch, bytes: bytes)
            else {
                release(bytes, &state)
                return .failure(Self.unknown(partition, count: count))
            }
            track(delivery, &state)
            return .success(.done(delivery, isNews: true))
        }
        return try result.get()
    }

    private func track(_ delivery: Delivery, _ state: inout State) {
        state.pending.insert(delivery.batch.partition)
        state.unsettled[ObjectIdentifier(delivery.batch)] = delivery.batch
    }

    private func choosePartition(
        _ record: ProducerRecord, bytes: Int, count: Int, _ state: inout State
    ) -> Result<Int, KafkaClientError> {
        if let partition = record.partition {
            guard (0..<Int32(count)).contains(partition) else {
                return .failure(Self.unknown(TopicPartition(record.topic, partition), count: count))
            }
            return .success(Int(partition))
        }
        if let key = record.key { return .success(Int(Partitioner.partition(of: key, count: Int32(count)))) }
        return .success(state.topics[record.topic]?.stick(bytes, batchBytes: configuration.batchBytes) ?? 0)
    }

    private static func unknown(_ partition: TopicPartition, count: Int) -> KafkaClientError {
        KafkaClientError(
            .unknownPartition, "topic \(partition.topic) has \(count) partitions; there is no \(partition.partition)")
    }

    /// Makes the partitions of a topic known. Their number can only grow.
    func update(_ topic: String, partitionCount: Int) {
        state.withLock { state in
            var known = state.topics[topic]?.partitions ?? []
            guard known.count < partitionCount else { return }
            for partition in known.count..<partitionCount {
                known.append(PartitionQueue(TopicPartition(topic, Int32(partition))))
            }
            let sticky = state.topics[topic]?.sticky ?? Int.random(in: 0..<partitionCount)
            state.topics[topic] = Topic(partitions: known, sticky: sticky)
        }
    }

    var topicNames: [String] { state.withLock { Array($0.topics.keys) } }

    // MARK: - Back-pressure

    /// Waiting tasks go first, whatever the room.
    private func reserve(_ bytes: Int, _ state: inout State) -> Bool {
        guard state.waiters.isEmpty, state.bufferedBytes + bytes <= configuration.bufferBytes else { return false }
        state.bufferedBytes += bytes
        return true
    }

    private func release(_ bytes: Int, _ state: inout State) {
        state.bufferedBytes -= bytes
        while let first = state.waiters.first, state.bufferedBytes + first.bytes <= configuration.bufferBytes {
            state.waiters.removeFirst()
            state.bufferedBytes += first.bytes
            // Resuming only makes the task runnable; it does not run under this lock.
            first.continuation.resume(returning: .success(()))
        }
    }

    /// Suspends until `bytes` of the buffer are reserved.
    ///
    /// - Throws: `closed`, or `cancelled` when the task is cancelled; nothing is reserved then.
    func waitForRoom(_ bytes: Int) async throws(KafkaClientError) {
        let id = state.withLock { state in
            state.nextWaiterID += 1
            return state.nextWaiterID
        }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                wait(SpaceWaiter(id: id, bytes: bytes, continuation: continuation))
            }
        } onCancel: {
            let waiter = state.withLock { state -> SpaceWaiter? in
                guard let index = state.waiters.firstIndex(where: { $0.id == id }) else { return nil }
                return state.waiters.remove(at: index)
            }
            waiter?.continuation.resume(returning: .failure(.cancelled))
        }
        try result.get()
    }

    private func wait(_ waiter: SpaceWaiter) {
        let result: Result<Void, KafkaClientError>? = state.withLock { state in
            if state.isClosed { return .failure(.closed) }
            if Task.isCancelled { return .failure(.cancelled) }
            if reserve(waiter.bytes, &state) { return .success(()) }
            state.waiters.append(waiter)
            return nil
        }
        if let result { waiter.continuation.resume(returning: result) }
    }

    // MARK: - The sender's side

    var pendingPartitions: Set<TopicPartition> { state.withLock { $0.pending } }

    /// The next batch of a partition.
    ///
    /// - Parameter isIdle: whether nothing of the partition is under way, so that nothing is gained by waiting.
    func next(of partition: TopicPartition, now: NIODeadline, isIdle: Bool) -> PartitionQueue.Next {
        state.withLock { state in
            let index = Int(partition.partition)
            let isUrgent = isIdle || state.flushes > 0 || state.isClosed
            let next = state.topics[partition.topic]?.partitions[index].next(
                now: now, linger: isUrgent ? nil : TimeAmount(configuration.linger))
            noteIfEmpty(partition, &state)
            return next ?? .nothing
        }
    }

    /// Takes out what came before `limit`.
    func removeExpired(of partition: TopicPartition, before limit: NIODeadline) -> [PartitionQueue.Sealed] {
        state.withLock { state in
            let index = Int(partition.partition)
            let expired = state.topics[partition.topic]?.partitions[index].removeExpired(before: limit)
            noteIfEmpty(partition, &state)
            return expired ?? []
        }
    }

    private func noteIfEmpty(_ partition: TopicPartition, _ state: inout State) {
        if state.topics[partition.topic]?.partitions[Int(partition.partition)].isEmpty ?? true {
            state.pending.remove(partition)
        }
    }

    /// Frees the bytes of a batch that is settled, and tells those who wait for it.
    func settle(
        _ delivery: BatchDelivery, reservedBytes: Int, _ result: Result<BatchDelivery.Receipt, KafkaClientError>
    ) {
        state.withLock { state in
            state.unsettled[ObjectIdentifier(delivery)] = nil
            if case .failure(let error) = result, state.firstFailure == nil { state.firstFailure = error }
            release(reservedBytes, &state)
        }
        delivery.settle(result)
    }

    // MARK: - Flush and close

    /// Ends the lingering of all batches until ``endFlush()``, and tells which are not settled.
    func beginFlush() -> [BatchDelivery] {
        state.withLock { state in
            state.flushes += 1
            return Array(state.unsettled.values)
        }
    }

    /// - Returns: the first failure since the last flush.
    func endFlush() -> KafkaClientError? {
        state.withLock { state in
            state.flushes -= 1
            defer { state.firstFailure = nil }
            return state.firstFailure
        }
    }

    /// Refuses new records from now on.
    func close() {
        let waiters = state.withLock { state in
            state.isClosed = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.continuation.resume(returning: .failure(.closed)) }
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Whether it is closed and every batch is settled.
    var isDone: Bool { state.withLock { $0.isClosed && $0.unsettled.isEmpty } }

    /// Takes out everything that was not sent.
    func removeAll() -> [PartitionQueue.Sealed] {
        state.withLock { state in
            let pending = state.pending
            state.pending = []
            return pending.flatMap { state.topics[$0.topic]?.partitions[Int($0.partition)].removeAll() ?? [] }
        }
    }
}
