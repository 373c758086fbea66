import Basics
import DequeModule
import KafkaWire
import Logging
import NIOCore

/// Fetches for one sequence of messages, ahead of its iterator: the partitions of a topic, or those that a group
/// assigns from time to time.
///
/// Runs on the event loop of its connections. There is no task behind it: answers arrive by callback and lead to the
/// next request at once, as long as what waits for the iterator is within ``ConsumerConfiguration/prefetchBytes``;
/// whatever takes thought (metadata, offsets, back-off) happens inside ``next()``.
actor Fetcher {
    private struct Position {
        var next: Int64
        /// Where to end; `Int64.max` for never.
        var stop: Int64
        var isInFlight = false
    }

    nonisolated let cluster: Cluster
    nonisolated var unownedExecutor: UnownedSerialExecutor { cluster.unownedExecutor }
    private let configuration: ConsumerConfiguration
    private let plan: Plan

    /// Empty until the first call of ``next()``; a partition that has reached its end leaves.
    private var positions: [TopicPartition: Position] = [:]
    private var isStarted = false
    /// Somebody wants to be heard by the iterator before it reads on.
    private var isInterrupted = false
    private var isFinished = false
    private var busyNodes: Set<Int32> = []
    private var ready: Deque<FetchedRecords> = []
    private var readyBytes = 0
    private var waiter: CheckedContinuation<Void, Never>?
    private var failure: KafkaClientError?
    /// Partitions whose offset is not in the log.
    private var outOfRange: [TopicPartition] = []
    private var isMetadataWrong = false
    private var backoff: Backoff

    /// What is read, and from where to where.
    enum Plan: Sendable {
        /// Partitions of a topic; nil for all it has when the sequence starts.
        case topic(String, partitions: [Int32]?, start: ConsumerStart, end: ConsumerEnd)
        /// What ``assign(_:)`` says, without an end.
        case assigned
    }

    init(_ client: KafkaClientConfiguration, _ configuration: ConsumerConfiguration, _ plan: Plan) {
        cluster = Cluster(client)
        self.configuration = configuration
        self.plan = plan
        backoff = Backoff(client)
    }

    // MARK: - The iterator's side

    /// The next records, waiting for them if need be; nil at the end, after ``finish()``, when the task is cancelled,
    /// and once for each ``interrupt()``.
    func next() async throws(KafkaClientError) -> FetchedRecords? {
        do {
            return try await nextRecords()
        } catch {
            if error.code == .cancelled || isFinished { return nil }
            throw error
        }
    }

    private func nextRecords() async throws(KafkaClientError) -> FetchedRecords? {
        if !isStarted { try await findPositions() }
        while !isFinished && !Task.isCancelled && !takeInterruption() {
            if let records = ready.popFirst() {
                readyBytes -= records.byteCount
                fetch()
                return records
            }
            if let failure { throw failure }
            if positions.isEmpty && !isAssigned { return nil }
            if !outOfRange.isEmpty { try await returnToRange() }
            if isMetadataWrong { try await refreshMetadata() }
            fetch()
            if ready.isEmpty && failure == nil && !isMetadataWrong && outOfRange.isEmpty { await waitForNews() }
        }
        return nil
    }

    private func waitForNews() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if isFinished || isInterrupted || Task.isCancelled {
                    continuation.resume()
                } else {
                    waiter = continuation
                }
            }
        } onCancel: {
            cluster.eventLoop.execute { self.assumeIsolated { $0.wake() } }
        }
    }

    private func wake() {
        waiter?.resume()
        waiter = nil
    }

    /// Makes a call of ``next()`` return nil, the one that waits or else the one that comes.
    func interrupt() {
        isInterrupted = true
        wake()
    }

    private func takeInterruption() -> Bool {
        defer { isInterrupted = false }
        return isInterrupted
    }

    // MARK: - Assignment

    private var isAssigned: Bool {
        if case .assigned = plan { return true }
        return false
    }

    /// Reads these partitions too, from these offsets on.
    func assign(_ offsets: [TopicPartition: Int64]) {
        for (partition, offset) in offsets { positions[partition] = Position(next: offset, stop: .max) }
    }

    /// Where to begin in partitions of which nobody knows it.
    func beginnings(
        of partitions: [TopicPartition], _ start: ConsumerStart
    ) async throws(KafkaClientError) -> [TopicPartition: Int64] {
        for topic in Set(partitions.map(\.topic)) { _ = try await cluster.partitions(of: topic) }
        return try await offsets(of: partitions, at: start)
    }

    /// Reads these partitions no more, and forgets what was read ahead of them.
    func revoke(_ partitions: Set<TopicPartition>) {
        for partition in partitions { positions[partition] = nil }
        outOfRange.removeAll { partitions.contains($0) }
        ready.removeAll { partitions.contains($0.partition) }
        readyBytes = ready.reduce(0) { $0 + $1.byteCount }
    }

    /// Ends the sequence and closes its connections; from any thread.
    nonisolated func finish() {
        cluster.eventLoop.execute {
            self.assumeIsolated { fetcher in
                fetcher.isFinished = true
                fetcher.wake()
                fetcher.cluster.assumeIsolated { $0.close() }
            }
        }
    }

    // MARK: - Where to read

    private func findPositions() async throws(KafkaClientError) {
        guard case .topic(let topic, let requestedPartitions, let start, let end) = plan else {
            isStarted = true
            return
        }
        let known = try await cluster.partitions(of: topic)
        if let unknown = requestedPartitions?.first(where: { !known.contains($0) }) {
            throw KafkaClientError(
                .unknownPartition, "topic \(topic) has \(known.count) partitions; there is no \(unknown)")
        }
        let partitions = (requestedPartitions ?? known).map { TopicPartition(topic, $0) }
        let first = try await offsets(of: partitions, at: start)
        let stop = end == .currentEnd ? try await offsets(of: partitions, at: .end) : [:]
        for partition in partitions {
            let position = Position(next: first[partition] ?? 0, stop: stop[partition] ?? .max)
            if position.next < position.stop { positions[partition] = position }
        }
        isStarted = true
    }

    private func offsets(
        of partitions: [TopicPartition], at start: ConsumerStart
    ) async throws(KafkaClientError) -> [TopicPartition: Int64] {
        switch start {
        case .offset(let offset):
            return Dictionary(partitions.map { ($0, offset) }, uniquingKeysWith: { first, _ in first })
        case .beginning:
            return try await cluster.offsets(of: partitions, at: ListOffsetsRequest.Timestamp.earliest)
        case .end:
            return try await cluster.offsets(of: partitions, at: ListOffsetsRequest.Timestamp.latest)
        case .timestamp(let timestamp):
            let found = try await cluster.offsets(of: partitions, at: timestamp)
            let tooOld = found.filter { $0.value < 0 }.map(\.key)
            if tooOld.isEmpty { return found }
            return found.merging(try await offsets(of: tooOld, at: .end)) { _, end in end }
        }
    }

    private func returnToRange() async throws(KafkaClientError) {
        let partitions = outOfRange
        outOfRange = []
        let place: ConsumerStart = configuration.outOfRange == .end ? .end : .beginning
        let found = try await offsets(of: partitions, at: place)
        for (partition, offset) in found {
            cluster.configuration.logger.debug("offset out of range, going on at \(offset) of \(partition)")
            positions[partition]?.next = offset
        }
    }

    private func refreshMetadata() async throws(KafkaClientError) {
        isMetadataWrong = false
        try await cluster.pause(backoff.next())
        do {
            // The topics are among those that the cluster was asked for already.
            try await cluster.refreshMetadata()
        } catch {
            guard error.isRetriable else { throw error }
            isMetadataWrong = true
            return
        }
        for topic in Set(positions.keys.map(\.topic)) {
            if let error = cluster.metadata.topics[topic]?.error, error != .none, !error.isRetriable {
                throw .broker(error, "topic \(topic)")
            }
        }
    }

    // MARK: - Fetching

    /// Sends a request to every leader that has none under way.
    private func fetch() {
        guard !isFinished, failure == nil, readyBytes < configuration.prefetchBytes else { return }
        let metadata = cluster.metadata
        var wanted: [Int32: [FetchExchange.Wanted]] = [:]
        for (partition, position) in positions where !position.isInFlight && !outOfRange.contains(partition) {
            guard let leader = metadata.leader(of: partition) else {
                isMetadataWrong = true
                continue
            }
            guard !busyNodes.contains(leader.node) else { continue }
            wanted[leader.node, default: []].append(
                .init(partition: partition, offset: position.next, leaderEpoch: leader.epoch))
        }
        for (node, partitions) in wanted { fetch(partitions, from: node, metadata) }
    }

    private func fetch(_ wanted: [FetchExchange.Wanted], from node: Int32, _ metadata: ClusterMetadata) {
        busyNodes.insert(node)
        guard let connection = cluster.assumeIsolated({ $0.openConnection(to: node) }) else {
            connect(to: node)
            return
        }
        // Dictionaries come in another order each time, which gives every partition its turn at the response's head.
        let exchange = FetchExchange(wanted, metadata: metadata, configuration)
        for item in wanted { positions[item.partition]?.isInFlight = true }
        let wait = TimeAmount(configuration.fetchWait)
        connection.send(exchange.request, maximumVersion: exchange.maximumVersion, wait: wait) { result in
            self.answered(node, exchange, wanted, result)
        }
    }

    private func connect(to node: Int32) {
        let connecting = cluster.assumeIsolated { $0.connect(to: node) }
        connecting.assumeIsolated().whenComplete { result in
            self.assumeIsolated { fetcher in
                fetcher.busyNodes.remove(node)
                switch result {
                case .success: fetcher.fetch()
                case .failure: fetcher.isMetadataWrong = true
                }
                fetcher.wake()
            }
        }
    }

    private func answered(
        _ node: Int32, _ exchange: FetchExchange, _ wanted: [FetchExchange.Wanted],
        _ result: Result<FetchResponse, KafkaClientError>
    ) {
        busyNodes.remove(node)
        for item in wanted { positions[item.partition]?.isInFlight = false }
        switch result {
        case .success(let response) where response.errorCode == .none:
            backoff.reset()
            for answer in exchange.answers(response) { take(answer, response.nodeEndpoints) }
        case .success(let response):
            fail(.broker(response.errorCode, "fetch from broker \(node)"))
        case .failure(let error):
            fail(error)
        }
        if !isMetadataWrong { fetch() }
        if !ready.isEmpty || failure != nil || isMetadataWrong || !outOfRange.isEmpty || positions.isEmpty { wake() }
    }

    private func fail(_ error: KafkaClientError) {
        if error.isRetriable {
            isMetadataWrong = true
        } else if failure == nil {
            failure = error
        }
    }

    private func take(_ answer: FetchExchange.Answer, _ endpoints: [NodeEndpoint]) {
        let partition = answer.partition
        guard let response = answer.response else {
            return fail(KafkaClientError(.invalidResponse, "the Fetch response says nothing of \(partition)"))
        }
        switch response.errorCode {
        case .none:
            take(response.records.contiguous, of: partition, from: answer.offset)
        case _ where positions[partition] == nil:
            break
        case .offsetOutOfRange where configuration.outOfRange != .fail:
            outOfRange.append(partition)
        case let code where code.isAboutLeadership && code.isRetriable:
            let isHinted = cluster.assumeIsolated {
                $0.update(partition, leader: response.currentLeader, endpoints: endpoints)
            }
            if !isHinted { isMetadataWrong = true }
        case let code:
            fail(.broker(code, "fetch from \(partition)"))
        }
    }

    private func take(_ bytes: ByteBuffer, of partition: TopicPartition, from offset: Int64) {
        // A partition that went and came back meanwhile may go on elsewhere.
        guard bytes.readableBytes > 0, let position = positions[partition], position.next == offset else { return }
        do {
            guard let next = try FetchedRecords.nextOffset(after: bytes), next > offset else {
                let message = "\(partition) has a batch at \(offset) that is larger than partitionBytes"
                return fail(KafkaClientError(.invalidResponse, message))
            }
            let records = FetchedRecords(bytes, of: partition, from: offset, to: position.stop)
            ready.append(records)
            readyBytes += records.byteCount
            positions[partition] = next < position.stop ? Position(next: next, stop: position.stop) : nil
        } catch {
            fail(KafkaClientError(.invalidResponse, "the records fetched from \(partition) are damaged: \(error)"))
        }
    }
}
