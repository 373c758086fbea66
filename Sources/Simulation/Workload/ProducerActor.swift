import Basics
import KafkaWire
import NIOCore

/// A producer in the manner of Kafka's: idempotent with five batches under way for each partition, or plain, which
/// sends everything once. An idempotent one now and then ends, as an application does, and begins with a new id.
///
/// Every other one takes a gap in the sequence for a reason to number all anew, as librdkafka does: under a new id it
/// sends what is undecided once more, and what was stored under the former is there twice. So no gap must be reported
/// that a repetition would fill.
///
/// Owner: the `Workload`. At most `batchesMax` batches wait for each lane.
final class ProducerActor {
    enum Kind: Hashable, Sendable {
        case idempotent
        /// Never repeats; `acks` is -1, 1 or 0.
        case plain(acks: Int16)
    }

    final class Batch {
        let values: [Value]
        private var builder: RecordBatchBuilder
        private(set) var bytes = ByteBuffer()
        /// Whether nothing older of its lane was undecided when it was sent last.
        var wasFirst = false

        /// Without bytes, until it is built or numbered.
        init(_ values: [Value], _ builder: RecordBatchBuilder) {
            self.values = values
            self.builder = builder
        }

        func build() throws { bytes = try builder.build().bytes }

        /// Makes it the batch of an idempotent producer.
        func number(_ producerID: Int64, _ sequence: Int32) throws {
            builder.producerID = producerID
            builder.producerEpoch = 0
            builder.baseSequence = sequence
            try build()
        }
    }

    /// What is to be sent to one partition. The first `sent` batches are under way.
    final class Queue {
        var batches: [Batch] = []
        var sent = 0
        var nextSequence: Int32 = 0
        var nextOrder = 0
        /// Something failed: once nothing is under way any more, all that is left is sent again in order.
        var isRecovering = false
        var underWay = 0
        /// The application has ended: what is undecided stays so.
        var isAbandoned = false
    }

    static let batchesMax = 5
    /// More than there are producers.
    private static let livesApart = 1_000

    let number: Int
    let kind: Kind
    private let client: SimulatedClient
    private let view: ClusterView
    private let history: History
    private let options: WorkloadOptions
    private var random: RandomSource
    private var ends: RandomSource
    /// Who the records are from: each life of the application keeps an order of its own.
    private var life: Int
    private var producerID: Int64 = -1
    /// Whether it wants a new id when it hears of a gap; and whether it has, and waits for all that is under way.
    private let renumbers: Bool
    private var isDraining = false
    private var queues: [Lane: Queue] = [:]
    private var isFinishing = false
    private var world: World { client.world }

    init(_ number: Int, kind: Kind, client: SimulatedClient, history: History, options: WorkloadOptions) {
        self.number = number
        self.kind = kind
        self.client = client
        self.history = history
        self.options = options
        life = number
        random = client.world.random.fork("producer \(number)")
        ends = client.world.random.fork("producer ends \(number)")
        renumbers = number % 2 == 0
        view = ClusterView(client, random: client.world.random.fork("producer view \(number)"))
    }

    func start() {
        view.refresh()
        if kind == .idempotent { acquireID() }
        next()
    }

    /// No new batches; what is undecided is still seen through.
    func finish() { isFinishing = true }

    /// Batches that must be acknowledged in the end and are not yet.
    var undecided: [String] {
        guard kind == .idempotent else { return [] }
        return queues.filter { !$0.value.batches.isEmpty && !history.isDeleted($0.key) }
            .map { "producer \(number), \($0.key): \($0.value.batches[0].values[0])" }.sorted()
    }

    private func acquireID() {
        let request = InitProducerIDRequest { $0.transactionTimeoutMs = 60_000 }
        client.call(request, to: view.anyBroker()) { [weak self, life] result in
            guard let self, life == self.life else { return }
            if case .success(let response) = result, response.errorCode == .none {
                producerID = response.producerID
                if isDraining { numberAnew() }
            } else {
                world.scheduler.after(.milliseconds(200)) { [weak self] in
                    if let self, life == self.life { acquireID() }
                }
            }
        }
    }

    /// The application ends, with whatever is under way, and starts again. Failures make this likely, since a producer
    /// that nobody knows yet, and that meets a change of the leader, is the hardest to get right.
    private func beginAnew() {
        for queue in queues.values { queue.isAbandoned = true }
        queues = [:]
        life += Self.livesApart
        producerID = -1
        isDraining = false
        acquireID()
    }

    /// Everything has its answer, or none to come: from now on it goes by another id.
    private func renewIDIfDrained() {
        guard isDraining, producerID >= 0, queues.values.allSatisfy({ $0.underWay == 0 }) else { return }
        producerID = -1
        acquireID()
    }

    private func numberAnew() {
        isDraining = false
        for (lane, queue) in queues.sorted(by: { $0.key < $1.key }) {
            queue.nextSequence = 0
            for batch in queue.batches { number(batch, queue) }
            recover(lane, queue)
        }
    }

    private func number(_ batch: Batch, _ queue: Queue) {
        do {
            try batch.number(producerID, queue.nextSequence)
            queue.nextSequence += Int32(batch.values.count)
        } catch {
            world.fail("a batch cannot be built: \(error)")
        }
    }

    private func next() {
        world.scheduler.after(options.pause(&random)) { [weak self] in
            guard let self else { return }
            if !isFinishing { produce() }
            next()
        }
    }

    private func produce() {
        if view.lanes.isEmpty || random.next() % 64 == 0 { view.refresh() }
        let lanes = view.lanes.filter { !history.isDeleted($0) }
        guard !lanes.isEmpty, kind != .idempotent || producerID >= 0 else { return }
        let lane = lanes[Int(random.next() % UInt64(lanes.count))]
        let queue = queues[lane] ?? Queue()
        queues[lane] = queue
        // Now and then two in a row, so that a change of the leader may fall between them.
        let count = random.next() % 8 == 0 ? 2 : 1
        for _ in 0..<count where queue.batches.count < Self.batchesMax {
            guard let batch = makeBatch(for: lane, queue) else { return }
            queue.batches.append(batch)
        }
        pump(lane, queue)
    }

    private func makeBatch(for lane: Lane, _ queue: Queue) -> Batch? {
        let codecs: [Codec] = [.none, .none, .none, .zstd, .lz4]
        var builder = RecordBatchBuilder(codec: codecs[Int(random.next() % 5)])
        var values: [Value] = []
        for _ in 0...Int(random.next() % 4) {
            let timestamp = world.wallClock - Milliseconds(random.next() % 50)
            let value = history.invoke(
                lane, producer: life, order: queue.nextOrder, isOrdered: kind == .idempotent, timestamp: timestamp)
            queue.nextOrder += 1
            values.append(value)
            builder.append(key: nil, value: value.bytes(padding: options.padding(&random)), timestamp: timestamp)
        }
        let batch = Batch(values, builder)
        if kind == .idempotent {
            number(batch, queue)
            return batch
        }
        do {
            try batch.build()
            return batch
        } catch {
            world.fail("a batch cannot be built: \(error)")
            return nil
        }
    }

    // MARK: Sending

    private func pump(_ lane: Lane, _ queue: Queue) {
        guard !queue.isRecovering, !isDraining else { return }
        while queue.sent < queue.batches.count {
            guard let leader = view.leader(of: lane) else {
                if queue.underWay == 0 { recover(lane, queue) } else { queue.isRecovering = true }
                return
            }
            let batch = queue.batches[queue.sent]
            batch.wasFirst = queue.sent == 0
            send(batch, to: lane, queue, leader.id)
        }
    }

    private func send(_ batch: Batch, to lane: Lane, _ queue: Queue, _ leader: NodeID) {
        let acks: Int16 = if case .plain(let acks) = kind { acks } else { -1 }
        let request = ProduceRequest { request in
            request.acks = acks
            request.timeoutMs = 1_500
            request.topics = [
                ProduceRequest.Topic {
                    $0.topicID = lane.topic
                    $0.partitions = [
                        ProduceRequest.Partition {
                            $0.index = lane.partition
                            $0.records = batch.bytes
                        }
                    ]
                }
            ]
        }
        history.statistics.calls += 1
        guard acks != 0 else {
            queue.batches.removeAll { $0 === batch }
            client.call(request, to: leader, isAnswered: false) { _ in }
            return
        }
        queue.sent += 1
        queue.underWay += 1
        client.call(request, to: leader, timeout: .seconds(3)) { [weak self] result in
            guard let self else { return }
            queue.underWay -= 1
            switch result {
            case .success(let response): answered(batch, lane, queue, response.topics.first?.partitions.first)
            case .failure: failed(batch, lane, queue)
            }
            renewIDIfDrained()
        }
    }

    private func answered(_ batch: Batch, _ lane: Lane, _ queue: Queue, _ answer: ProduceResponse.Partition?) {
        guard let answer else { return world.fail("an answer to Produce without its partition") }
        switch answer.errorCode {
        case .none:
            for (position, value) in batch.values.enumerated() {
                history.acknowledge(value, at: answer.baseOffset + Int64(position))
            }
            settled(batch, lane, queue)
        case .duplicateSequenceNumber:
            // Stored by an earlier attempt; only consumers can tell where.
            settled(batch, lane, queue)
        case .outOfOrderSequenceNumber where batch.wasFirst && !history.isDeleted(lane):
            world.failPromise("\(lane): \(batch.values[0]) refused as out of order, though nothing older is undecided")
            failed(batch, lane, queue)
        case .outOfOrderSequenceNumber where renumbers && !queue.isAbandoned && kind == .idempotent:
            isDraining = true
            failed(batch, lane, queue)
        case .outOfOrderSequenceNumber, .notLeaderOrFollower, .requestTimedOut, .unknownTopicID,
            .unknownTopicOrPartition, .fencedLeaderEpoch, .unknownLeaderEpoch, .leaderNotAvailable, .kafkaStorageError:
            failed(batch, lane, queue)
        default:
            world.fail("\(lane): a produce was refused with \(answer.errorCode) \(answer.errorMessage ?? "")")
        }
    }

    private func settled(_ batch: Batch, _ lane: Lane, _ queue: Queue) {
        if let position = queue.batches.firstIndex(where: { $0 === batch }) {
            queue.batches.remove(at: position)
            queue.sent -= 1
        }
        if queue.isRecovering { failed(nil, lane, queue) }
    }

    private func failed(_ batch: Batch?, _ lane: Lane, _ queue: Queue) {
        if batch != nil { history.statistics.failedCalls += 1 }
        if kind != .idempotent, let batch, let position = queue.batches.firstIndex(where: { $0 === batch }) {
            // Its outcome stays unknown.
            queue.batches.remove(at: position)
            queue.sent -= 1
        }
        queue.isRecovering = true
        if queue.underWay == 0 { recover(lane, queue) }
    }

    private func recover(_ lane: Lane, _ queue: Queue) {
        queue.isRecovering = true
        queue.sent = 0
        if kind == .idempotent, !isFinishing, !queue.isAbandoned, ends.next() % 16 == 0 { beginAnew() }
        if history.isDeleted(lane) || queue.isAbandoned { queue.batches = [] }
        view.refresh()
        world.scheduler.after(.milliseconds(Int64(50 + random.next() % 150))) { [weak self] in
            guard let self else { return }
            queue.isRecovering = false
            pump(lane, queue)
        }
    }
}
