import KafkaWire

/// The records of a topic's partitions as they come: in order within a partition, mixed between partitions.
///
/// Fetches ahead within ``ConsumerConfiguration/prefetchBytes`` and not at all while nobody iterates. Each iterator
/// reads for itself, from the start. The sequence ends where it was told to, when its consumer is closed, and when the
/// task is cancelled.
public struct ConsumerMessages: AsyncSequence, Sendable {
    public typealias Element = ConsumerRecord
    public typealias Failure = KafkaClientError

    let consumer: Consumer
    let topic: String
    let partitions: [Int32]?
    let start: ConsumerStart
    let end: ConsumerEnd

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(
            session: FetchSession(
                consumer,
                Fetcher(
                    consumer.client, consumer.configuration,
                    .topic(topic, partitions: partitions, start: start, end: end))))
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        let session: FetchSession
        private var records: FetchedRecords?

        init(session: FetchSession) {
            self.session = session
        }

        /// The next record. Suspends only when everything fetched so far was consumed.
        public mutating func next() async throws(KafkaClientError) -> ConsumerRecord? {
            try await next(isolation: nil)
        }

        /// The records of the next batch that has any wanted ones: as many as its producer put into it. What ``next()``
        /// has left of the present batch comes first.
        public mutating func nextBatch() async throws(KafkaClientError) -> [ConsumerRecord]? {
            while true {
                if let batch = try records?.nextBatch(session.configuration) { return batch }
                records = try await session.fetcher.next()
                if records == nil { return nil }
            }
        }

        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(KafkaClientError) -> ConsumerRecord? {
            while true {
                if let record = try records?.next(session.configuration) { return record }
                records = try await session.fetcher.next()
                if records == nil { return nil }
            }
        }
    }
}

/// Ties a fetcher to its iterator: when the last copy of the iterator goes, the connections go.
final class FetchSession: Sendable {
    let fetcher: Fetcher
    let configuration: ConsumerConfiguration
    private let consumer: Consumer

    init(_ consumer: Consumer, _ fetcher: Fetcher) {
        self.consumer = consumer
        self.fetcher = fetcher
        configuration = consumer.configuration
        consumer.add(fetcher)
    }

    deinit {
        consumer.remove(fetcher)
        fetcher.finish()
    }
}
