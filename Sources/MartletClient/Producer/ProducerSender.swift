import KafkaWire
import Logging
import NIOCore
import Synchronization

/// Sends the accumulator's batches to the leaders of their partitions.
///
/// Runs on the event loop of its connections. All decisions are made by ``pump()``, which never waits: it is called
/// when records come, answers come or time passes, and several reasons are served by one call. What does take time
/// (connecting, metadata, a producer id) are chores that `run()` carries out in child tasks, at most one of a kind
/// for each broker.
actor ProducerSender {
    /// What is known of one broker.
    private struct Node {
        var connection: BrokerConnection?
        var requestsInFlight = 0
        var isConnecting = false
        var backoff: Backoff
        var retryAt = NIODeadline.uptimeNanoseconds(0)
    }

    private enum Chore: Hashable {
        case connect(Int32)
        case refreshMetadata
        case acquireIdentity
    }

    nonisolated let cluster: Cluster
    nonisolated var unownedExecutor: UnownedSerialExecutor { cluster.unownedExecutor }
    private nonisolated let accumulator: Accumulator
    private nonisolated let isWoken = Atomic(false)
    private let configuration: ProducerConfiguration

    private var nodes: [Int32: Node] = [:]
    var pipelines: [TopicPartition: PartitionPipeline] = [:]
    private var retryAt: [TopicPartition: NIODeadline] = [:]
    private var identity: ProducerIdentity?
    private var identityRetryAt = NIODeadline.uptimeNanoseconds(0)
    private var metadataRetryAt = NIODeadline.uptimeNanoseconds(0)
    /// A broker said that it is not the leader, or could not be reached.
    private var isMetadataWrong = false
    private var backoff: Backoff
    private var nextOrder: UInt64 = 0

    private let chores: AsyncStream<Chore>
    /// Unbounded, but holds each chore at most once: see `running`.
    private let choreQueue: AsyncStream<Chore>.Continuation
    private var running: Set<Chore> = []
    private var timer: (deadline: NIODeadline, task: Scheduled<Void>)?
    private var isRunning = false
    private var isStopped = false
    private var failure: KafkaClientError?
    private var stopWaiters: [CheckedContinuation<Void, Never>] = []

    init(_ cluster: Cluster, _ accumulator: Accumulator, _ configuration: ProducerConfiguration) {
        self.cluster = cluster
        self.accumulator = accumulator
        self.configuration = configuration
        backoff = Backoff(cluster.configuration)
        (chores, choreQueue) = AsyncStream.makeStream(of: Chore.self)
    }

    // MARK: - Life

    /// Works until the accumulator is closed and everything in it is settled.
    ///
    /// - Throws: an error that no retry can help, such as a broker without idempotent producers.
    func run() async throws(KafkaClientError) {
        guard !isRunning else { throw KafkaClientError(.invalidArgument, "a producer runs only once") }
        isRunning = true
        wake()
        await withDiscardingTaskGroup { group in
            for await chore in chores {
                group.addTask { await self.perform(chore) }
            }
        }
        if !isStopped { abort(.cancelled) }
        await cluster.close()
        if let failure { throw failure }
    }

    /// Waits until everything is settled; if nobody runs the sender, gives everything up.
    func stopped() async {
        if isStopped { return }
        guard isRunning else {
            abort(.closed)
            await cluster.close()
            return
        }
        await withCheckedContinuation { stopWaiters.append($0) }
    }

    private func stop() {
        isStopped = true
        timer?.task.cancel()
        timer = nil
        choreQueue.finish()
        let waiters = stopWaiters
        stopWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    /// Gives up everything that was not acknowledged.
    func abort(_ error: KafkaClientError) {
        accumulator.close()
        for batch in accumulator.removeAll() {
            accumulator.settle(batch.delivery, reservedBytes: batch.reservedBytes, .failure(error))
        }
        for partition in pipelines.keys {
            advance(partition) { $0.abandon(error) }
        }
        stop()
    }

    /// Calls ``pump()`` soon; from any thread, any number of times.
    nonisolated func wake() {
        guard !isWoken.exchange(true, ordering: .acquiringAndReleasing) else { return }
        cluster.eventLoop.execute {
            self.assumeIsolated { $0.pump() }
        }
    }

    // MARK: - Deciding

    private func pump() {
        isWoken.store(false, ordering: .releasing)
        guard !isStopped else { return }
        var pass = Pass(now: .now(), metadata: cluster.metadata)
        if isMetadataWrong || cluster.assumeIsolated({ $0.isMetadataStale }) { refreshMetadata(&pass) }
        expire(&pass)
        repeat {
            pass.requests = [:]
            for partition in partitionsWithWork { take(from: partition, &pass) }
            for (node, request) in pass.requests { send(request, to: node, pass.metadata) }
        } while !pass.requests.isEmpty
        if accumulator.isDone {
            stop()
        } else {
            wake(at: pass.nextWake)
        }
    }

    /// What one call of ``pump()`` works with.
    private struct Pass {
        let now: NIODeadline
        let metadata: ClusterMetadata
        /// By broker.
        var requests: [Int32: Request] = [:]
        var nextWake = NIODeadline.distantFuture

        mutating func wake(at time: NIODeadline) { nextWake = min(nextWake, time) }
    }

    /// A request being gathered: one batch of each partition that has one.
    private struct Request {
        let connection: BrokerConnection
        var batches: [ProducerBatch] = []

        var byteCount: Int { batches.reduce(0) { $0 + $1.bytes.readableBytes } }
    }

    private var partitionsWithWork: Set<TopicPartition> {
        var partitions = accumulator.pendingPartitions
        for (partition, pipeline) in pipelines where pipeline.hasWaiting { partitions.insert(partition) }
        return partitions
    }

    private func expire(_ pass: inout Pass) {
        let age = TimeAmount(configuration.deliveryTimeout)
        for partition in partitionsWithWork {
            advance(partition) { $0.expire(now: pass.now) }
            for batch in accumulator.removeExpired(of: partition, before: pass.now - age) {
                let error = KafkaClientError(
                    .deliveryTimedOut, "\(partition) could not be reached within \(configuration.deliveryTimeout)")
                accumulator.settle(batch.delivery, reservedBytes: batch.reservedBytes, .failure(error))
            }
            // Not exact for what is in the accumulator; a quarter of the timeout late at the most.
            pass.wake(at: pipelines[partition]?.nextDeadline ?? pass.now + .nanoseconds(age.nanoseconds / 4))
        }
    }

    /// Adds the partition's next batch to the request for its leader, or sees to what is missing.
    private func take(from partition: TopicPartition, _ pass: inout Pass) {
        guard let leader = pass.metadata.leader(of: partition) else { return refreshMetadata(&pass) }
        if let time = retryAt[partition], time > pass.now { return pass.wake(at: time) }
        guard let connection = openConnection(to: leader.node, &pass) else { return }
        let inFlight = nodes[leader.node]?.requestsInFlight ?? 0
        var request = pass.requests[leader.node] ?? Request(connection: connection)
        guard inFlight < configuration.requestsInFlight, request.byteCount < configuration.requestBytes else { return }

        let fresh = PartitionPipeline(usesSequences: configuration.usesSequences)
        let pipeline = pipelines[partition, default: fresh]
        guard pipeline.maySend(to: leader.node) else { return }
        if pipeline.lacksIdentity {
            guard let identity = usableIdentity(&pass) else { return }
            pipelines[partition, default: fresh].adopt(identity)
        }
        guard let batch = pipelines[partition]?.takeWaiting() ?? newBatch(of: partition, pipeline.isIdle, &pass) else {
            return
        }
        request.batches.append(pipelines[partition, default: fresh].send(batch, to: leader.node))
        pass.requests[leader.node] = request
    }

    private func newBatch(
        of partition: TopicPartition, _ isIdle: Bool, _ pass: inout Pass
    ) -> ProducerBatch? {
        while true {
            switch accumulator.next(of: partition, now: pass.now, isIdle: isIdle) {
            case .nothing: return nil
            case .due(let time):
                pass.wake(at: time)
                return nil
            case .batch(let sealed):
                // One that cannot be built is settled, and the next one has its turn.
                if let batch = build(sealed) { return batch }
            }
        }
    }

    /// Compresses the batch, here on the event loop: batches are bounded, and the producer has the loop's time unless
    /// other clients share it.
    private func build(_ sealed: PartitionQueue.Sealed) -> ProducerBatch? {
        do {
            let records =
                switch sealed.content {
                case .batch(let batch): batch
                case .builder(let builder): try builder.build()
                }
            nextOrder += 1
            return ProducerBatch(
                records, delivery: sealed.delivery, order: nextOrder, reservedBytes: sealed.reservedBytes,
                deadline: sealed.since + TimeAmount(configuration.deliveryTimeout))
        } catch {
            let error = KafkaClientError(.compressionFailed, "a batch could not be compressed: \(error)")
            accumulator.settle(sealed.delivery, reservedBytes: sealed.reservedBytes, .failure(error))
            return nil
        }
    }

    // MARK: - Sending

    private func send(_ request: Request, to node: Int32, _ metadata: ClusterMetadata) {
        nodes[node]?.requestsInFlight += 1
        let produce = ProduceExchange(request.batches, metadata: metadata, configuration)
        guard configuration.acknowledgement != .none else {
            request.connection.sendUnanswered(produce.request, maximumVersion: produce.maximumVersion) { result in
                self.answered(node, produce.outcomes(unanswered: result), [])
            }
            return
        }
        request.connection.send(produce.request, maximumVersion: produce.maximumVersion) { result in
            let endpoints = (try? result.get())?.nodeEndpoints ?? []
            self.answered(node, produce.outcomes(result), endpoints)
        }
    }

    private func answered(
        _ node: Int32, _ outcomes: [ProduceExchange.Outcome], _ endpoints: [NodeEndpoint]
    ) {
        nodes[node]?.requestsInFlight -= 1
        let now = NIODeadline.now()
        for outcome in outcomes {
            let isHinted = cluster.assumeIsolated {
                $0.update(outcome.partition, leader: outcome.leader, endpoints: endpoints)
            }
            if outcome.needsMetadata && !isHinted { isMetadataWrong = true }
            switch outcome.result {
            // With a hint the way is known, and there is nothing to wait for.
            case .retriable: retryAt[outcome.partition] = isHinted ? nil : now + TimeAmount(backoff.next())
            case .stored:
                retryAt[outcome.partition] = nil
                backoff.reset()
            case .outOfOrder, .refused: break
            }
            advance(outcome.partition) { $0.complete(outcome.order, outcome.result, now: now) }
        }
        wake()
    }

    /// Lets a pipeline settle what it can. An identity that one partition had to give up is given to no other.
    private func advance(
        _ partition: TopicPartition, _ step: (inout PartitionPipeline) -> [PartitionPipeline.Settled]
    ) {
        guard let index = pipelines.index(forKey: partition) else { return }
        let before = pipelines.values[index].identity
        settle(step(&pipelines.values[index]))
        if before == identity && pipelines.values[index].identity == nil { identity = nil }
    }

    private func settle(_ settled: [PartitionPipeline.Settled]) {
        for item in settled {
            accumulator.settle(item.batch.delivery, reservedBytes: item.batch.reservedBytes, item.result)
        }
    }

    // MARK: - Chores

    private func openConnection(to id: Int32, _ pass: inout Pass) -> BrokerConnection? {
        let node = nodes[id] ?? Node(backoff: Backoff(cluster.configuration))
        nodes[id] = node
        if let connection = node.connection, connection.isActive { return connection }
        if node.retryAt > pass.now {
            pass.wake(at: node.retryAt)
        } else {
            start(.connect(id))
        }
        return nil
    }

    private func usableIdentity(_ pass: inout Pass) -> ProducerIdentity? {
        if let identity { return identity }
        if identityRetryAt > pass.now {
            pass.wake(at: identityRetryAt)
        } else {
            start(.acquireIdentity)
        }
        return nil
    }

    private func refreshMetadata(_ pass: inout Pass) {
        if metadataRetryAt > pass.now {
            pass.wake(at: metadataRetryAt)
        } else {
            start(.refreshMetadata)
        }
    }

    private func start(_ chore: Chore) {
        guard running.insert(chore).inserted else { return }
        choreQueue.yield(chore)
    }

    private func perform(_ chore: Chore) async {
        do throws(KafkaClientError) {
            switch chore {
            case .connect(let node):
                nodes[node]?.connection = try await cluster.connection(to: .node(node))
                nodes[node]?.backoff.reset()
            case .refreshMetadata:
                try await cluster.refreshMetadata()
                metadataRefreshed()
            case .acquireIdentity:
                identity = try await acquireIdentity()
            }
        } catch {
            failed(chore, error)
        }
        running.remove(chore)
        wake()
    }

    private func failed(_ chore: Chore, _ error: KafkaClientError) {
        cluster.configuration.logger.debug("\(chore) failed: \(error)")
        switch chore {
        case .connect(let node):
            let pause = nodes[node]?.backoff.next() ?? .zero
            nodes[node]?.retryAt = .now() + TimeAmount(pause)
            isMetadataWrong = true
        case .refreshMetadata: metadataRetryAt = .now() + TimeAmount(backoff.next())
        case .acquireIdentity where error.isRetriable || error.code == .closed:
            identityRetryAt = .now() + TimeAmount(backoff.next())
        case .acquireIdentity:
            failure = error
            abort(error)
        }
    }

    private func metadataRefreshed() {
        isMetadataWrong = false
        // The leader may not be elected yet: leave the brokers some time before the next question.
        metadataRetryAt = .now() + TimeAmount(cluster.configuration.retryBackoff)
        let metadata = cluster.metadata
        for topic in accumulator.topicNames {
            guard let known = metadata.topics[topic] else { continue }
            accumulator.update(topic, partitionCount: known.leaders.count)
        }
    }

    private func acquireIdentity() async throws(KafkaClientError) -> ProducerIdentity {
        let response = try await cluster.request(InitProducerIDRequest { $0.transactionTimeoutMs = 60_000 }, to: .any)
        guard response.errorCode == .none else { throw .broker(response.errorCode, "producer id") }
        return ProducerIdentity(id: response.producerID, epoch: response.producerEpoch)
    }

    private func wake(at deadline: NIODeadline) {
        if let timer, timer.deadline <= deadline, timer.deadline > .now() { return }
        timer?.task.cancel()
        timer = nil
        guard deadline != .distantFuture else { return }
        let task = cluster.eventLoop.scheduleTask(deadline: deadline) { self.wake() }
        timer = (deadline, task)
    }
}
