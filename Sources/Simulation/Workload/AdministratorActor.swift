import Basics
import KafkaWire

/// Creates the topics, and now and then another; gives some more partitions; deletes some, and creates them again.
///
/// Owner: the `Workload`. One request under way.
final class AdministratorActor {
    private let client: SimulatedClient
    private let view: ClusterView
    private let history: History
    private let options: WorkloadOptions
    private var random: RandomSource
    private var wanted: [String] = []
    private var lastName = 0
    private(set) var isBusy = false
    private var isFinishing = false
    private var world: World { client.world }

    init(client: SimulatedClient, history: History, options: WorkloadOptions) {
        self.client = client
        self.history = history
        self.options = options
        random = client.world.random.fork("administrator")
        view = ClusterView(client, random: client.world.random.fork("administrator view"))
    }

    func start() {
        for _ in 0..<options.topics { wanted.append(newName()) }
        next()
    }

    func finish() { isFinishing = true }

    private func newName() -> String {
        lastName += 1
        return "topic-\(lastName)"
    }

    private func next() {
        guard !isFinishing else { return }
        if let name = wanted.first { return create(name) }
        guard options.changesTopics else { return }
        view.refresh { [weak self] in
            if let self, !isFinishing { change() }
        }
    }

    private func again(after delay: TimeSpan) {
        world.scheduler.after(delay) { [weak self] in self?.next() }
    }

    private func rest() { again(after: .milliseconds(500 + Int64(random.next() % 5_000))) }

    private func change() {
        let topics = view.topics.filter { !history.deleted.contains($0.id) }.sorted { $0.name < $1.name }
        guard !topics.isEmpty else { return rest() }
        let topic = topics[Int(random.next() % UInt64(topics.count))]
        switch random.next() % 4 {
        case 0 where topics.count > 1: delete(topic)
        case 1 where topics.count < 6:
            wanted.append(newName())
            rest()
        default: grow(topic)
        }
    }

    private func ask<Request: KafkaRequest>(
        _ request: Request, completion: @escaping (Result<Request.Response, CallError>) -> Void
    ) {
        history.statistics.calls += 1
        isBusy = true
        client.call(request, to: view.anyBroker(), timeout: .seconds(12)) { [weak self] result in
            self?.isBusy = false
            completion(result)
        }
    }

    private func create(_ name: String) {
        let partitions = 1 + Int32(random.next() % UInt64(options.partitionsMax))
        let request = CreateTopicsRequest { request in
            request.timeoutMs = 2_000
            request.topics = [
                CreateTopicsRequest.Topic {
                    $0.name = name
                    $0.numPartitions = partitions
                    $0.replicationFactor = -1
                }
            ]
        }
        ask(request) { [weak self] result in
            guard let self else { return }
            if case .success(let response) = result, let topic = response.topics.first,
                topic.errorCode == .none || topic.errorCode == .topicAlreadyExists
            {
                wanted.removeAll { $0 == name }
                history.statistics.topicsCreated += 1
                return again(after: .milliseconds(10))
            }
            history.statistics.failedCalls += 1
            again(after: .milliseconds(200))
        }
    }

    private func delete(_ topic: ClusterView.Topic) {
        history.delete(topic.id)
        history.statistics.topicsDeleted += 1
        if random.next() % 2 == 0, history.renew(topic.name) { wanted.append(topic.name) }
        let request = DeleteTopicsRequest { request in
            request.timeoutMs = 2_000
            request.topics = [DeleteTopicsRequest.Topic { $0.topicID = topic.id }]
        }
        ask(request) { [weak self] result in
            if case .failure = result { self?.history.statistics.failedCalls += 1 }
            self?.rest()
        }
    }

    private func grow(_ topic: ClusterView.Topic) {
        guard topic.partitionCount < 8 else { return rest() }
        let request = CreatePartitionsRequest { request in
            request.timeoutMs = 2_000
            request.topics = [
                CreatePartitionsRequest.Topic {
                    $0.name = topic.name
                    $0.count = topic.partitionCount + 1
                    $0.assignments = nil
                }
            ]
        }
        ask(request) { [weak self] result in
            if case .failure = result { self?.history.statistics.failedCalls += 1 }
            self?.rest()
        }
    }
}
