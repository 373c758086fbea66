import KafkaWire
import NIOCore

/// Manages topics and groups, and tells about the cluster.
///
/// Operations are tried again, within the operation timeout, after errors that pass by themselves.
public final class Admin: Sendable {
    let cluster: Cluster

    public init(_ client: KafkaClientConfiguration) {
        cluster = Cluster(client)
    }

    /// Closes the connections; operations under way fail with `closed`.
    public func close() async {
        await cluster.close()
    }

    // MARK: - Topics

    /// Creates a topic.
    ///
    /// - Parameter validateOnly: only find out whether it could be created.
    /// - Throws: `broker`, for example with `TOPIC_ALREADY_EXISTS` or `INVALID_CONFIG`.
    public func createTopic(_ topic: NewTopic, validateOnly: Bool = false) async throws(KafkaClientError) {
        let request = CreateTopicsRequest {
            $0.topics = [
                .init {
                    $0.name = topic.name
                    $0.numPartitions = topic.partitions ?? -1
                    $0.replicationFactor = topic.replicationFactor ?? -1
                    $0.configs = topic.configs.map { name, value in
                        .init {
                            $0.name = name
                            $0.value = value
                        }
                    }
                }
            ]
            $0.timeoutMs = timeoutMs
            $0.validateOnly = validateOnly
        }
        try await ask(request, "topic \(topic.name)") { response in
            (response.topics.first?.errorCode, response.topics.first?.errorMessage)
        }
    }

    /// - Throws: `unknownTopic` if there is none of that name.
    public func deleteTopic(_ name: String) async throws(KafkaClientError) {
        let request = DeleteTopicsRequest {
            $0.topicNames = [name]
            $0.topics = [.init { $0.name = name }]
            $0.timeoutMs = timeoutMs
        }
        try await ask(request, "topic \(name)") { response in
            (response.topics.first?.errorCode, response.topics.first?.errorMessage)
        }
    }

    /// - Parameter count: how many partitions the topic shall have afterwards; more than now.
    public func createPartitions(of name: String, count: Int32) async throws(KafkaClientError) {
        let request = CreatePartitionsRequest {
            $0.topics = [
                .init {
                    $0.name = name
                    $0.count = count
                    $0.assignments = nil
                }
            ]
            $0.timeoutMs = timeoutMs
        }
        try await ask(request, "topic \(name)") { response in
            (response.topics.first?.errorCode, response.topics.first?.errorMessage)
        }
    }

    /// All topics, by name.
    public func listTopics() async throws(KafkaClientError) -> [TopicDescription] {
        let response = try await metadata(topics: nil)
        return response.topics.compactMap(Self.describe).sorted { $0.name < $1.name }
    }

    /// - Throws: `unknownTopic` if there is none of that name.
    public func describeTopic(_ name: String) async throws(KafkaClientError) -> TopicDescription {
        let response = try await metadata(topics: [name])
        guard let topic = response.topics.first else {
            throw KafkaClientError(.invalidResponse, "the Metadata response says nothing of topic \(name)")
        }
        // One partition without a leader does not make the rest unreadable.
        guard topic.errorCode == .none || topic.errorCode == .leaderNotAvailable else {
            throw Self.error(topic.errorCode, "topic \(name)")
        }
        return Self.describe(topic) ?? TopicDescription(name: name, id: .zero, isInternal: false, partitions: [])
    }

    private static func describe(_ topic: MetadataResponse.Topic) -> TopicDescription? {
        guard let name = topic.name else { return nil }
        let partitions = topic.partitions.map { partition in
            TopicDescription.Partition(
                index: partition.partitionIndex,
                leader: partition.leaderID >= 0 ? partition.leaderID : nil,
                leaderEpoch: partition.leaderEpoch,
                replicas: partition.replicaNodes,
                inSyncReplicas: partition.isrNodes,
                offlineReplicas: partition.offlineReplicas
            )
        }
        return TopicDescription(
            name: name, id: topic.topicID, isInternal: topic.isInternal,
            partitions: partitions.sorted { $0.index < $1.index })
    }

    // MARK: - Offsets, cluster

    /// - Returns: the offset in each partition; nil where no record is so young.
    public func offsets(
        of partitions: [TopicPartition], at spec: OffsetSpec
    ) async throws(KafkaClientError) -> [TopicPartition: Int64?] {
        for topic in Set(partitions.map(\.topic)) { _ = try await cluster.partitions(of: topic) }
        let known = cluster.metadata
        if let unknown = partitions.first(where: { known.topics[$0.topic]?.leaders[$0.partition] == nil }) {
            throw KafkaClientError(.unknownPartition, "there is no partition \(unknown)")
        }
        let found = try await cluster.offsets(of: partitions, at: spec.wireTimestamp)
        return found.mapValues { $0 >= 0 ? $0 : nil }
    }

    public func describeCluster() async throws(KafkaClientError) -> ClusterDescription {
        let response = try await metadata(topics: [])
        let brokers = response.brokers.map { broker in
            ClusterDescription.Broker(
                id: broker.nodeID, address: BrokerAddress(host: broker.host, port: Int(broker.port)),
                rack: broker.rack)
        }
        return ClusterDescription(
            clusterID: response.clusterID,
            controller: response.controllerID >= 0 ? response.controllerID : nil,
            brokers: brokers.sorted { $0.id < $1.id }
        )
    }

    // MARK: - Asking

    var timeoutMs: Int32 {
        Int32(clamping: TimeAmount(cluster.configuration.requestTimeout).nanoseconds / 1_000_000)
    }

    private func metadata(topics: [String]?) async throws(KafkaClientError) -> MetadataResponse {
        let request = MetadataRequest {
            $0.topics = topics?.map { name in .init { $0.name = name } }
            $0.allowAutoTopicCreation = false
        }
        return try await ask(request, "metadata", to: .any) { ($0.errorCode, nil) }
    }

    /// Sends a request to the controller unless told otherwise, and again while its error passes by itself.
    @discardableResult
    func ask<Request: KafkaRequest>(
        _ request: Request, _ subject: String, to target: Cluster.Target = .controller,
        error outcome: (Request.Response) -> (ErrorCode?, String?)
    ) async throws(KafkaClientError) -> Request.Response {
        try await retry(target) { () throws(KafkaClientError) in
            let response = try await cluster.request(request, to: target)
            guard case (let code?, let message) = outcome(response) else {
                throw KafkaClientError(.invalidResponse, "the \(Request.api) response says nothing of \(subject)")
            }
            if code == .none { return response }
            throw Self.error(code, subject, message)
        }
    }

    /// Does it again while its error passes by itself.
    func retry<Value>(
        _ target: Cluster.Target, _ body: () async throws(KafkaClientError) -> Value
    ) async throws(KafkaClientError) -> Value {
        let deadline = NIODeadline.now() + TimeAmount(cluster.configuration.operationTimeout)
        var backoff = Backoff(cluster.configuration)
        while true {
            let failure: KafkaClientError
            do throws(KafkaClientError) {
                switch target {
                case .controller, .leader: try await cluster.refreshMetadata()
                case .any, .node, .coordinator: break
                }
                return try await body()
            } catch {
                failure = error
            }
            guard failure.isRetriable, .now() < deadline else { throw failure }
            if case .coordinator(let group) = target { await cluster.forgetCoordinator(of: group) }
            try await cluster.pause(backoff.next())
        }
    }

    /// An unknown topic is final here: nobody is about to create it.
    static func error(_ code: ErrorCode, _ subject: String, _ message: String? = nil) -> KafkaClientError {
        guard code == .unknownTopicOrPartition || code == .unknownTopicID else {
            return .broker(code, subject, message: message)
        }
        return KafkaClientError(.unknownTopic, "\(subject) does not exist", brokerError: code)
    }
}
