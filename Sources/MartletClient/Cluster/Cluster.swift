import KafkaWire
import Logging
import NIOCore
import Synchronization

/// A client's connections to the brokers of a cluster, at most one for each broker, and what it knows of their topics.
///
/// Runs on the event loop of its connections, so that a request costs no change of threads. Everything it keeps is
/// bounded by the number of brokers and of the topics asked for.
actor Cluster {
    /// Which broker a request is for.
    enum Target: Hashable, Sendable {
        /// Any broker that can be reached.
        case any
        case controller
        case node(Int32)
        /// Of a partition.
        case leader(TopicPartition)
        /// Of a group.
        case coordinator(String)
    }

    nonisolated let configuration: KafkaClientConfiguration
    nonisolated let eventLoop: any EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

    /// A copy to be read on any thread; only the actor writes it.
    private nonisolated let snapshot = Mutex(ClusterMetadata())
    /// By broker; a dead one stays until the next use of it.
    private var connections: [Int32: BrokerConnection] = [:]
    private var connecting: [Int32: EventLoopFuture<BrokerConnection>] = [:]
    /// Found by address before its node id was known.
    private var bootstrap: BrokerConnection?
    private var topics: Set<String> = []
    /// By group.
    var coordinators: [String: Int32] = [:]
    private var metadataAge: NIODeadline?
    private var refreshWaiters: [CheckedContinuation<Result<Void, KafkaClientError>, Never>]?
    private var isClosed = false

    init(_ configuration: KafkaClientConfiguration) {
        self.configuration = configuration
        eventLoop = configuration.eventLoopGroup.next()
    }

    nonisolated var metadata: ClusterMetadata { snapshot.withLock { $0 } }

    /// Closes every connection; what waits for an answer fails with ``KafkaClientError/Code/closed``.
    func close() {
        isClosed = true
        bootstrap?.close()
        bootstrap = nil
        for connection in connections.values { connection.close() }
        connections = [:]
    }

    // MARK: - Requests

    /// Sends a request and waits for the answer. Cancelling the task does not call the request back.
    func request<Request: KafkaRequest>(
        _ request: Request, to target: Target, maximumVersion: Int16 = .max, wait: TimeAmount = .zero
    ) async throws(KafkaClientError) -> Request.Response {
        let connection = try await connection(to: target)
        let result = await withCheckedContinuation { continuation in
            connection.send(request, maximumVersion: maximumVersion, wait: wait) {
                continuation.resume(returning: $0)
            }
        }
        return try result.get()
    }

    // MARK: - Connections

    func connection(to target: Target) async throws(KafkaClientError) -> BrokerConnection {
        switch target {
        case .node(let node):
            return try await connection(to: node)
        case .controller:
            let controller = metadata.controller
            if metadata.brokers[controller] != nil { return try await connection(to: controller) }
            return try await anyConnection()
        case .any:
            return try await anyConnection()
        case .leader(let partition):
            guard let leader = metadata.leader(of: partition) else {
                throw .broker(.leaderNotAvailable, "\(partition)")
            }
            return try await connection(to: leader.node)
        case .coordinator(let group):
            return try await connection(to: coordinator(of: group))
        }
    }

    private func connection(to node: Int32) async throws(KafkaClientError) -> BrokerConnection {
        if let open = openConnection(to: node) { return open }
        return try await value(of: connect(to: node))
    }

    /// The connection to a broker, if it is open now.
    func openConnection(to node: Int32) -> BrokerConnection? {
        guard let connection = connections[node], connection.isActive, connection.address == metadata.brokers[node]
        else { return nil }
        return connection
    }

    /// Opens a connection to a broker, unless that is under way already.
    func connect(to node: Int32) -> EventLoopFuture<BrokerConnection> {
        if let connecting = connecting[node] { return connecting }
        guard !isClosed else { return eventLoop.makeFailedFuture(KafkaClientError.closed) }
        guard let address = metadata.brokers[node] else {
            return eventLoop.makeFailedFuture(
                KafkaClientError(.connectionFailed, "broker \(node) is not part of the cluster now"))
        }
        let opening = BrokerConnection.open(address, on: eventLoop, configuration)
        connecting[node] = opening
        opening.assumeIsolated().whenComplete { result in
            self.assumeIsolated { $0.connected(to: node, result) }
        }
        return opening
    }

    private func connected(to node: Int32, _ result: Result<BrokerConnection, any Error>) {
        connecting[node] = nil
        guard case .success(let connection) = result else { return }
        connections[node]?.close()
        if isClosed { connection.close() } else { connections[node] = connection }
    }

    private func value(
        of opening: EventLoopFuture<BrokerConnection>
    ) async throws(KafkaClientError) -> BrokerConnection {
        do {
            let connection = try await opening.get()
            if !isClosed { return connection }
            connection.close()
        } catch {
            throw error as? KafkaClientError ?? KafkaClientError(.connectionFailed, "\(error)")
        }
        throw .closed
    }

    /// A connection that is open already, else the first that can be opened: to the brokers known, then to the
    /// bootstrap servers.
    private func anyConnection() async throws(KafkaClientError) -> BrokerConnection {
        guard !isClosed else { throw .closed }
        if let bootstrap, bootstrap.isActive { return bootstrap }
        bootstrap = nil
        var failures: [KafkaClientError] = []
        let known = metadata.brokers.keys.shuffled()
        if let node = known.first(where: { openConnection(to: $0) != nil }) { return try await connection(to: node) }
        for node in known {
            do {
                return try await connection(to: node)
            } catch {
                failures.append(error)
            }
        }
        for address in configuration.bootstrapServers {
            do {
                let connection = try await value(of: BrokerConnection.open(address, on: eventLoop, configuration))
                bootstrap = connection
                return connection
            } catch {
                failures.append(error)
            }
        }
        throw failures.last ?? KafkaClientError(.invalidArgument, "no bootstrap server is configured")
    }

    /// Once metadata tells which broker the bootstrap connection leads to, it is that broker's connection.
    private func adoptBootstrap() {
        guard let connection = bootstrap,
            let node = metadata.brokers.first(where: { $0.value == connection.address })?.key,
            openConnection(to: node) == nil
        else { return }
        connections[node] = connection
        bootstrap = nil
    }

    // MARK: - Metadata

    /// Whether metadata is old enough to be asked for again.
    var isMetadataStale: Bool {
        guard let metadataAge else { return true }
        return NIODeadline.now() - metadataAge > TimeAmount(configuration.metadataMaximumAge)
    }

    /// Asks for the leaders of all topics used so far and of `topic`. Callers that come while a request is under way
    /// share its answer, unless they bring a new topic.
    ///
    /// - Parameter creating: whether the broker may create `topic` if it is configured to.
    func refreshMetadata(
        adding topic: String? = nil, creating: Bool = false
    ) async throws(KafkaClientError) {
        let isNew = topic.map { topics.insert($0).inserted } ?? false
        if refreshWaiters != nil && !isNew {
            let result = await withCheckedContinuation { continuation in
                refreshWaiters?.append(continuation)
            }
            return try result.get()
        }
        let isFirst = refreshWaiters == nil
        if isFirst { refreshWaiters = [] }
        let result = await askForMetadata(creating: creating)
        if isFirst {
            let waiters = refreshWaiters ?? []
            refreshWaiters = nil
            for waiter in waiters { waiter.resume(returning: result) }
        }
        try result.get()
    }

    private func askForMetadata(creating: Bool) async -> Result<Void, KafkaClientError> {
        do throws(KafkaClientError) {
            let names = topics
            let response = try await request(
                MetadataRequest {
                    $0.topics = names.map { name in .init { $0.name = name } }
                    $0.allowAutoTopicCreation = creating
                },
                to: .any
            )
            guard response.errorCode == .none else { throw .broker(response.errorCode, "metadata") }
            snapshot.withLock { $0.update(response) }
            metadataAge = .now()
            adoptBootstrap()
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    /// Takes over the leader that a response names; true if it was not known.
    func update(_ partition: TopicPartition, leader: LeaderIDAndEpoch, endpoints: [NodeEndpoint]) -> Bool {
        snapshot.withLock { $0.update(partition, leader: leader, endpoints: endpoints) }
    }

    /// The topic's partitions, once all of them are known; tries again while the topic is being created or has no
    /// leader yet.
    ///
    /// - Throws: `unknownTopic` when the brokers do not have it after the operation timeout, or any other error.
    func partitions(of topic: String, creating: Bool = false) async throws(KafkaClientError) -> [Int32] {
        let deadline = NIODeadline.now() + TimeAmount(configuration.operationTimeout)
        var backoff = Backoff(configuration)
        var attempts = 0
        while true {
            if let known = metadata.topics[topic], known.error == .none, !known.leaders.isEmpty {
                return known.leaders.keys.sorted()
            }
            let failure: KafkaClientError
            do {
                try await refreshMetadata(adding: topic, creating: creating)
                attempts += 1
                if let known = metadata.topics[topic], known.error == .none, !known.leaders.isEmpty { continue }
                failure = missing(topic)
            } catch {
                failure = error
            }
            // A topic that is not to be created will not appear by waiting; a second look covers a broker that is
            // behind.
            let isHopeless = failure.code == .unknownTopic && !creating && attempts > 1
            guard failure.isRetriable || failure.code == .unknownTopic, !isHopeless, .now() < deadline else {
                throw failure
            }
            try await pause(backoff.next())
        }
    }

    private func missing(_ topic: String) -> KafkaClientError {
        var error = metadata.topics[topic]?.error ?? .unknownTopicOrPartition
        // A topic without partitions is one whose creation is not finished.
        if error == .none { error = .leaderNotAvailable }
        guard error == .unknownTopicOrPartition else { return .broker(error, "topic \(topic)") }
        return KafkaClientError(.unknownTopic, "topic \(topic) does not exist", brokerError: error)
    }

    /// - Throws: ``KafkaClientError/Code/cancelled`` when the task is cancelled.
    nonisolated func pause(_ duration: Duration) async throws(KafkaClientError) {
        do {
            try await Task.sleep(for: duration)
        } catch {
            throw .cancelled
        }
    }
}
