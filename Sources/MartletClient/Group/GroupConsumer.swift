import KafkaWire
import ServiceLifecycle

/// Reads topics together with the other members of a group (KIP-848): the broker gives each partition to one of them,
/// and keeps how far each has come.
///
/// ```swift
/// let consumer = try GroupConsumer(client, group: "billing", topics: ["orders"])
/// for try await record in consumer.messages { print(record.offset) }
/// await consumer.close()
/// ```
///
/// The member joins with the first record asked for, and partitions come and go only while records are asked for: what
/// was given out is consumed when the next one is asked for. Every record is given out at least once to some member.
/// ``run()`` is needed only in a `ServiceGroup`, so that a graceful shutdown makes the member leave.
public final class GroupConsumer: Service, Sendable {
    let session: GroupSession

    /// - Throws: `invalidArgument` when a setting is outside its bounds.
    public init(
        _ client: KafkaClientConfiguration, group: String, topics: [String],
        _ configuration: GroupConsumerConfiguration = GroupConsumerConfiguration()
    ) throws(KafkaClientError) {
        try configuration.fetch.validate()
        guard !group.isEmpty, !topics.isEmpty else {
            throw KafkaClientError(.invalidArgument, "a group consumer needs a group and at least one topic")
        }
        session = GroupSession(client, group: group, topics: topics, configuration)
    }

    deinit { session.abandon() }

    /// The records of the partitions that this member has, as they come. To be iterated once at a time; a further
    /// iteration goes on where the last one stopped.
    public var messages: GroupMessages { GroupMessages(consumer: self) }

    /// The partitions that this member reads now.
    public var assignment: Set<TopicPartition> {
        get async { await session.owned }
    }

    /// Commits all that was given out, the last record included, and returns when it is stored.
    ///
    /// - Throws: `broker` with `UNKNOWN_MEMBER_ID` or `FENCED_MEMBER_EPOCH` if the member's partitions went to others.
    public func commit() async throws(KafkaClientError) {
        try await session.commitGivenOut()
    }

    /// Commits these offsets, each that of the next record to read.
    public func commit(_ offsets: [TopicPartition: Int64]) async throws(KafkaClientError) {
        try await session.commit(offsets)
    }

    /// Commits what was consumed, if that happens by itself, leaves the group and ends the iteration.
    public func close() async {
        await session.close()
    }

    /// Waits for a graceful shutdown, for ``close()`` or for the task's cancellation, and leaves the group then.
    public func run() async throws {
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await session.waitUntilClosed()
            } onGracefulShutdown: {
                Task { await self.close() }
            }
        } onCancel: {
            Task { await self.close() }
        }
    }
}

/// The records that a member of a group is given. Ends when the consumer is closed and when the task is cancelled.
public struct GroupMessages: AsyncSequence, Sendable {
    public typealias Element = ConsumerRecord
    public typealias Failure = KafkaClientError

    let consumer: GroupConsumer

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(consumer: consumer) }

    public struct AsyncIterator: AsyncIteratorProtocol {
        /// Held, so that the member stays while somebody iterates.
        private let consumer: GroupConsumer
        private var records: FetchedRecords?

        init(consumer: GroupConsumer) {
            self.consumer = consumer
        }

        public mutating func next() async throws(KafkaClientError) -> ConsumerRecord? {
            try await nextBatch(limit: 1, isolation: nil)?.first
        }

        /// The records of the next batch: as many as its producer put into it.
        public mutating func nextBatch() async throws(KafkaClientError) -> [ConsumerRecord]? {
            try await nextBatch(limit: .max, isolation: nil)
        }

        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(KafkaClientError) -> ConsumerRecord? {
            try await nextBatch(limit: 1, isolation: actor)?.first
        }

        private mutating func nextBatch(
            limit: Int, isolation actor: isolated (any Actor)?
        ) async throws(KafkaClientError) -> [ConsumerRecord]? {
            let session = consumer.session
            session.consumedGivenOut()
            while true {
                if session.hasNews { try await session.settle() }
                if let current = records {
                    if session.owns(current.partition), let batch = try take(limit) {
                        session.gaveOut(batch)
                        return batch
                    }
                    records = nil
                }
                guard try await session.isReady() else { return nil }
                records = try await session.fetcher.next()
                if records == nil, Task.isCancelled { return nil }
            }
        }

        private mutating func take(_ limit: Int) throws(KafkaClientError) -> [ConsumerRecord]? {
            let configuration = consumer.session.configuration.fetch
            guard limit == 1 else { return try records?.nextBatch(configuration) }
            return try records?.next(configuration).map { [$0] }
        }
    }
}
