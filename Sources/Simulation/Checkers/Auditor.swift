import Basics
import KafkaWire
import NIOCore

/// Asks of a mended cluster what it owes: a produce to every partition, and all that was ever acknowledged.
///
/// Owner: the `Experiment`.
final class Auditor {
    private let client: SimulatedClient
    private let history: History
    private let view: ClusterView
    /// Partitions that are not done; nil until they are known.
    private var open: [Lane]?
    private var content: [Value] = []
    /// Where the lane begins that is being read.
    private var start: Int64 = 0
    private var orders: [Lane: Int] = [:]
    private var world: World { client.world }

    init(client: SimulatedClient, history: History) {
        self.client = client
        self.history = history
        view = ClusterView(client, random: client.world.random.fork("auditor view"))
    }

    /// Partitions of the topics that exist, as the last question told.
    var partitionCount: Int { view.lanes.count }

    /// Those of topics whose deletion nobody asked for, with their names.
    var lanes: [(lane: Lane, name: String)] {
        view.lanes.filter { !history.isDeleted($0) }.compactMap { lane in view.name(of: lane).map { (lane, $0) } }
    }

    /// Called with each lane that was read, and its end.
    var onRead: (_ lane: Lane, _ end: Int64) -> Void = { _, _ in }

    var isDone: Bool { open?.isEmpty ?? false }

    var missing: String { open.map { $0.map(\.description).joined(separator: ", ") } ?? "all of them" }

    func produceEverywhere() { begin { [weak self] in self?.produceNext() } }

    func readEverything() {
        content = []
        start = 0
        begin { [weak self] in self?.readNext() }
    }

    private func begin(_ work: @escaping () -> Void) {
        open = nil
        view.refresh { [weak self] in
            guard let self else { return }
            let lanes = view.lanes.filter { !self.history.isDeleted($0) }
            guard lanes.allSatisfy({ self.view.leader(of: $0) != nil }) else {
                world.scheduler.after(.milliseconds(100)) { [weak self] in self?.begin(work) }
                return
            }
            open = lanes
            work()
        }
    }

    private func retry(_ work: @escaping () -> Void) {
        view.refresh { [world] in world.scheduler.after(.milliseconds(100), work) }
    }

    // MARK: Producing

    /// One record to the first open lane. A record whose fate is unknown is followed by another.
    private func produceNext() {
        guard let lane = open?.first else { return }
        guard let leader = view.leader(of: lane) else { return retry { [weak self] in self?.produceNext() } }
        let order = orders[lane, default: 0]
        orders[lane] = order + 1
        let value = history.invoke(
            lane, producer: -1, order: order, isOrdered: false, timestamp: world.wallClock)
        var builder = RecordBatchBuilder()
        builder.append(key: nil, value: value.bytes(padding: 10), timestamp: world.wallClock)
        do {
            let batch = try builder.build().bytes
            client.call(Self.request(lane, batch), to: leader.id, timeout: .seconds(2)) { [weak self] result in
                guard let self else { return }
                if case .success(let response) = result, let answer = response.topics.first?.partitions.first,
                    answer.errorCode == .none
                {
                    history.acknowledge(value, at: answer.baseOffset)
                    open?.removeFirst()
                    produceNext()
                } else {
                    retry { [weak self] in self?.produceNext() }
                }
            }
        } catch {
            world.fail("a batch cannot be built: \(error)")
        }
    }

    private static func request(_ lane: Lane, _ batch: ByteBuffer) -> ProduceRequest {
        ProduceRequest { request in
            request.acks = -1
            request.timeoutMs = 1_500
            request.topics = [
                ProduceRequest.Topic {
                    $0.topicID = lane.topic
                    $0.partitions = [
                        ProduceRequest.Partition {
                            $0.index = lane.partition
                            $0.records = batch
                        }
                    ]
                }
            ]
        }
    }

    // MARK: Reading

    private func readNext() {
        guard let lane = open?.first else { return }
        guard let leader = view.leader(of: lane) else { return retry { [weak self] in self?.readNext() } }
        let request = FetchRequest { request in
            request.maxBytes = 1 << 20
            request.topics = [
                FetchRequest.Topic {
                    $0.topicID = lane.topic
                    $0.partitions = [
                        FetchRequest.Partition {
                            $0.partition = lane.partition
                            $0.fetchOffset = start + Int64(content.count)
                            $0.partitionMaxBytes = 1 << 20
                        }
                    ]
                }
            ]
        }
        let least = history.starts.least(lane)
        client.call(request, to: leader.id, timeout: .seconds(2)) { [weak self] result in
            guard let self else { return }
            if case .success(let response) = result, let answer = response.topics.first?.partitions.first,
                answer.errorCode == .none || answer.errorCode == .offsetOutOfRange
            {
                history.check(rangeOf: answer, lane, asked: start + Int64(content.count), least: least)
                take(answer, lane)
            } else {
                retry { [weak self] in self?.readNext() }
            }
        }
    }

    private func take(_ answer: FetchResponse.Partition, _ lane: Lane) {
        if answer.errorCode == .offsetOutOfRange, content.isEmpty, start == 0 {
            start = answer.logStartOffset
            return readNext()
        }
        let next = start + Int64(content.count)
        let fetched = FetchedValues(answer, from: next, lane: lane)
        if let flaw = fetched.flaw { return world.fail(flaw) }
        for (offset, value) in fetched.values {
            history.read(value, from: lane, at: offset)
            content.append(value)
        }
        if answer.highWatermark == fetched.next {
            history.check(lane, from: start, content: content)
            onRead(lane, fetched.next)
            content = []
            start = 0
            open?.removeFirst()
        } else if fetched.values.isEmpty {
            return world.fail("\(lane): nothing at \(next), below the end \(answer.highWatermark)")
        }
        readNext()
    }
}
