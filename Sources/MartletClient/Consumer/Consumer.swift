import KafkaWire
import ServiceLifecycle
import Synchronization

/// Reads records of a cluster by offset. It belongs to no group and commits nothing: where to start is up to the
/// caller. ``GroupConsumer`` shares topics with others.
///
/// ```swift
/// let consumer = try Consumer(KafkaClientConfiguration(bootstrapServers: [BrokerAddress("127.0.0.1:9092")!]))
/// for try await record in consumer.messages(topic: "orders", from: .beginning) {
///     print(record.offset, record.value.map { String(buffer: $0) } ?? "")
/// }
/// ```
///
/// Each iteration has connections of its own. ``run()`` is needed only in a `ServiceGroup`, so that a graceful
/// shutdown ends the iterations.
public final class Consumer: Service, Sendable {
    private struct State {
        var isClosed = false
        var fetchers: [ObjectIdentifier: Fetcher] = [:]
        var stopped: [CheckedContinuation<Void, Never>] = []
    }

    let client: KafkaClientConfiguration
    let configuration: ConsumerConfiguration
    private let state = Mutex(State())

    /// - Throws: `invalidArgument` when a setting is outside its bounds.
    public init(
        _ client: KafkaClientConfiguration, _ configuration: ConsumerConfiguration = ConsumerConfiguration()
    ) throws(KafkaClientError) {
        try configuration.validate()
        self.client = client
        self.configuration = configuration
    }

    /// The records of a topic.
    ///
    /// - Parameters:
    ///   - partitions: which of them; nil for all the topic has when the iteration starts.
    ///   - start: where to begin in each of them.
    ///   - end: where to end.
    public func messages(
        topic: String, partitions: [Int32]? = nil, from start: ConsumerStart, until end: ConsumerEnd = .never
    ) -> ConsumerMessages {
        ConsumerMessages(consumer: self, topic: topic, partitions: partitions, start: start, end: end)
    }

    /// Waits for a graceful shutdown, for ``close()`` or for the task's cancellation, and ends all iterations then.
    public func run() async throws {
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await withCheckedContinuation { continuation in
                    let isClosed = state.withLock { state in
                        if !state.isClosed { state.stopped.append(continuation) }
                        return state.isClosed
                    }
                    if isClosed { continuation.resume() }
                }
            } onGracefulShutdown: {
                self.close()
            }
        } onCancel: {
            close()
        }
    }

    /// Ends all iterations: records that were fetched but not consumed are dropped.
    public func close() {
        let (fetchers, stopped) = state.withLock { state in
            state.isClosed = true
            defer {
                state.fetchers = [:]
                state.stopped = []
            }
            return (Array(state.fetchers.values), state.stopped)
        }
        for fetcher in fetchers { fetcher.finish() }
        for continuation in stopped { continuation.resume() }
    }

    func add(_ fetcher: Fetcher) {
        let isClosed = state.withLock { state in
            if !state.isClosed { state.fetchers[ObjectIdentifier(fetcher)] = fetcher }
            return state.isClosed
        }
        if isClosed { fetcher.finish() }
    }

    func remove(_ fetcher: Fetcher) {
        state.withLock { $0.fetchers[ObjectIdentifier(fetcher)] = nil }
    }
}
