import Basics
import KafkaWire

/// Changes configurations of topics and reads them back, from any broker.
///
/// Owner: the `Workload`. One request under way. Topics go by their names here: what is known of one ends when its name
/// is given to another topic.
final class ConfigurationActor {
    private struct Key: Hashable, Comparable {
        let topic: String
        let name: String

        static func < (a: Key, b: Key) -> Bool { (a.topic, a.name) < (b.topic, b.name) }
    }

    /// What a key may be. A change whose outcome is unknown may come to pass at any time later.
    private struct Known {
        var acknowledged: String
        var undecided: Set<String> = []
        var past: Set<String> = []
    }

    /// Keys whose effect changes nothing for the other clients of a world, with what they are if nobody sets them, and
    /// the least of the values that are set here.
    private static let keys: [(name: String, value: String, least: Int64)] = [
        ("max.message.bytes", "1048588", 2_000_000), ("retention.ms", "604800000", 1_000_000_000),
        ("message.timestamp.after.max.ms", "3600000", 4_000_000),
    ]

    private let client: SimulatedClient
    private let view: ClusterView
    private let history: History
    private var random: RandomSource
    private var known: [Key: Known] = [:]
    private var count: Int64 = 0
    private(set) var isBusy = false
    private var isFinishing = false
    /// What is not read back yet, and from whom; nil while nobody asked for that.
    private var unread: [(broker: NodeID, topic: String)]?
    private var world: World { client.world }

    init(in world: World, _ history: History) {
        client = world.makeClient()
        self.history = history
        random = world.random.fork("configurations")
        view = ClusterView(client, random: world.random.fork("configurations view"))
    }

    func start() { again() }
    func finish() { isFinishing = true }

    private func again() {
        world.scheduler.after(.milliseconds(Int64(100 + random.next() % 2_000))) { [weak self] in
            guard let self, !isFinishing else { return }
            view.refresh { [weak self] in self?.next() }
        }
    }

    /// The topics of which something is known, if nobody asked for their deletion.
    private var topics: [ClusterView.Topic] {
        view.topics.filter { !history.deleted.contains($0.id) && !history.renewedNames.contains($0.name) }
            .sorted { $0.name < $1.name }
    }

    private func next() {
        let topics = topics
        guard !isFinishing, !topics.isEmpty else { return again() }
        let topic = topics[Int(random.next() % UInt64(topics.count))]
        isBusy = true
        if random.next() % 2 == 0 {
            alter(topic)
        } else {
            read(topic.name, from: view.anyBroker(), mustBeNew: false) { [weak self] _ in
                self?.isBusy = false
                self?.again()
            }
        }
    }

    // MARK: Changes

    private func alter(_ topic: ClusterView.Topic) {
        let chosen = Self.keys[Int(random.next() % UInt64(Self.keys.count))]
        let key = Key(topic: topic.name, name: chosen.name)
        count += 1
        let isReset = random.next() % 4 == 0
        let value = isReset ? chosen.value : "\(chosen.least + count)"
        known[key, default: Known(acknowledged: chosen.value)].undecided.insert(value)
        history.statistics.calls += 1
        history.statistics.alterations += 1
        typealias Operation = IncrementalAlterConfigsRequest.Operation
        let request = IncrementalAlterConfigsRequest { request in
            request.resources = [
                IncrementalAlterConfigsRequest.Resource {
                    $0.resourceType = ConfigResourceType.topic
                    $0.resourceName = topic.name
                    $0.configs = [
                        IncrementalAlterConfigsRequest.Config {
                            $0.name = chosen.name
                            $0.configOperation = isReset ? Operation.delete : Operation.set
                            $0.value = isReset ? nil : value
                        }
                    ]
                }
            ]
        }
        client.call(request, to: view.anyBroker(), timeout: .seconds(12)) { [weak self] result in
            guard let self else { return }
            isBusy = false
            answered(try? result.get().results.first?.errorCode, topic, key, value)
            again()
        }
    }

    private func answered(_ code: ErrorCode?, _ topic: ClusterView.Topic, _ key: Key, _ value: String) {
        switch code {
        case ErrorCode.none?:
            guard var known = known[key] else { return }
            known.past.insert(known.acknowledged)
            known.acknowledged = value
            // A value set twice may still be under way from the first time.
            if value != Self.keys.first(where: { $0.name == key.name })?.value { known.undecided.remove(value) }
            self.known[key] = known
        case .invalidConfig?, .invalidRequest?:
            world.fail("topic \(topic.name): \(key.name) = \(value) is refused with \(code.map { "\($0)" } ?? "")")
        default: history.statistics.failedCalls += 1
        }
    }

    // MARK: Reading back

    /// Asks every broker for all that was ever changed. All must have caught up by now.
    func readEverything() {
        unread = nil
        view.refresh { [weak self] in
            guard let self else { return }
            let names = Set(known.keys.map(\.topic))
            let topics = topics.map(\.name).filter { names.contains($0) }
            unread = world.brokerIDs.flatMap { broker in topics.map { (broker, $0) } }
            readNext()
        }
    }

    var isDone: Bool { unread?.isEmpty ?? false }

    private func readNext() {
        guard let (broker, topic) = unread?.first else { return }
        read(topic, from: broker, mustBeNew: true) { [weak self] hasRead in
            guard let self else { return }
            if hasRead { unread?.removeFirst() }
            world.scheduler.after(.milliseconds(hasRead ? 1 : 100)) { [weak self] in self?.readNext() }
        }
    }

    private func read(
        _ topic: String, from broker: NodeID, mustBeNew: Bool, completion: @escaping (_ hasRead: Bool) -> Void
    ) {
        let request = DescribeConfigsRequest { request in
            request.resources = [
                DescribeConfigsRequest.Resource {
                    $0.resourceType = ConfigResourceType.topic
                    $0.resourceName = topic
                    $0.configurationKeys = Self.keys.map(\.name)
                }
            ]
        }
        history.statistics.calls += 1
        client.call(request, to: broker, timeout: .seconds(2)) { [weak self] result in
            guard let self else { return }
            guard let answer = try? result.get().results.first, answer.errorCode == .none else {
                history.statistics.failedCalls += 1
                return completion(false)
            }
            for config in answer.configs { check(config, topic, broker, mustBeNew: mustBeNew) }
            completion(true)
        }
    }

    private func check(
        _ config: DescribeConfigsResponse.Config, _ topic: String, _ broker: NodeID, mustBeNew: Bool
    ) {
        guard let value = config.value, !history.renewedNames.contains(topic),
            let known = known[Key(topic: topic, name: config.name)]
        else { return }
        if value == known.acknowledged || known.undecided.contains(value) { return }
        if !mustBeNew, known.past.contains(value) { return }
        world.failPromise(
            "topic \(topic): broker \(broker) tells \(config.name) = \(value), acknowledged was \(known.acknowledged)")
    }
}
