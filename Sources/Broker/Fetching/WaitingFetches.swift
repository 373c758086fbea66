import Basics

/// The fetches that wait for more data (Kafka's purgatory): woken by bytes appended, by a change of leader, by time.
///
/// Owner: a `Shard`. The number of fetches waiting is bounded by `BrokerConfiguration.waitingFetchesMax`.
struct WaitingFetches {
    private var waiting: [PartitionKey: [FetchTask]] = [:]

    mutating func add(_ task: FetchTask, to key: PartitionKey) {
        waiting[key, default: []].append(task)
    }

    mutating func remove(_ task: FetchTask, from key: PartitionKey) {
        guard var tasks = waiting[key] else { return }
        tasks.removeAll { $0 === task }
        waiting[key] = tasks.isEmpty ? nil : tasks
    }

    /// The fetches that wait for this partition.
    func tasks(for key: PartitionKey) -> [FetchTask] { waiting[key] ?? [] }

    /// The fetches that wait for any partition of this topic, in an order that follows from the requests alone.
    func tasks(of topic: TopicNumber) -> [FetchTask] { tasks { $0.topic == topic } }

    /// Every fetch that waits for any partition of the shard, in such an order.
    var all: [FetchTask] { tasks { _ in true } }

    private func tasks(where isWanted: (PartitionKey) -> Bool) -> [FetchTask] {
        waiting.filter { isWanted($0.key) }.sorted { $0.key.rawValue < $1.key.rawValue }.flatMap(\.value)
    }
}
