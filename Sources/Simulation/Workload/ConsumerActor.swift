import Basics
import KafkaWire
import NIOCore

/// A consumer: follows one partition from its beginning, then begins again there or elsewhere, by offset or by time.
///
/// Owner: the `Workload`. One fetch under way.
final class ConsumerActor {
    private let client: SimulatedClient
    private let view: ClusterView
    private let history: History
    private var random: RandomSource
    private var lane: Lane?
    private var offset: Int64 = 0
    private var isFinishing = false
    private var world: World { client.world }

    init(_ number: Int, client: SimulatedClient, history: History) {
        self.client = client
        self.history = history
        random = client.world.random.fork("consumer \(number)")
        view = ClusterView(client, random: client.world.random.fork("consumer view \(number)"))
    }

    func start() { again(after: .milliseconds(50)) }

    func finish() { isFinishing = true }

    private func again(after delay: TimeSpan) {
        world.scheduler.after(delay) { [weak self] in self?.next() }
    }

    private func next() {
        guard !isFinishing else { return }
        guard let lane, !history.isDeleted(lane), view.lanes.contains(lane) else {
            return view.refresh { [weak self] in self?.choose() }
        }
        if random.next() % 64 == 0 { return choose() }
        guard let leader = view.leader(of: lane) else { return recover() }
        fetch(lane, leader)
    }

    private func choose() {
        let lanes = view.lanes.filter { !history.isDeleted($0) }
        guard !lanes.isEmpty else { return again(after: .milliseconds(100)) }
        let lane = lanes[Int(random.next() % UInt64(lanes.count))]
        self.lane = lane
        let end = history.knownEnd(of: lane)
        switch random.next() % 3 {
        case 0: offset = 0
        case 1: offset = end == 0 ? 0 : Int64(random.next() % UInt64(end))
        default: return seek(lane)
        }
        again(after: .milliseconds(1))
    }

    private func recover() {
        view.refresh { [weak self] in self?.again(after: .milliseconds(100)) }
    }

    // MARK: Offsets

    private func seek(_ lane: Lane) {
        offset = 0
        guard let leader = view.leader(of: lane), let name = view.name(of: lane) else { return recover() }
        let knownEnd = history.seenEnd(of: lane, upTo: leader.epoch)
        let timestamp = world.wallClock - Milliseconds(random.next() % 20_000)
        let request = ListOffsetsRequest { request in
            request.replicaID = -1
            request.topics = [
                ListOffsetsRequest.Topic {
                    $0.name = name
                    $0.partitions = [
                        ListOffsetsRequest.Partition {
                            $0.partitionIndex = lane.partition
                            $0.currentLeaderEpoch = leader.epoch
                            $0.timestamp = timestamp
                        }
                    ]
                }
            ]
        }
        history.statistics.calls += 1
        client.call(request, to: leader.id, timeout: .seconds(2)) { [weak self] result in
            guard let self else { return }
            guard case .success(let response) = result, let answer = response.topics.first?.partitions.first,
                answer.errorCode == .none
            else {
                history.statistics.failedCalls += 1
                return recover()
            }
            // Topics are named here: the answer speaks of this lane only while the name does.
            if view.name(of: lane) == name, !history.isDeleted(lane) {
                let found = answer.offset >= 0 ? answer.offset : nil
                history.answered(
                    .init(
                        lane: lane, timestamp: timestamp, offset: found, knownEnd: knownEnd,
                        mayBeGone: history.starts.most(lane)))
                offset = found ?? 0
            }
            again(after: .milliseconds(1))
        }
    }

    // MARK: Fetching

    private func fetch(_ lane: Lane, _ leader: ClusterView.Leader) {
        let limits: [Int32] = [100, 5_000, 100_000, 1 << 20]
        let limit = limits[Int(random.next() % 4)]
        let request = FetchRequest { request in
            request.maxWaitMs = 300
            request.minBytes = 1
            request.maxBytes = 1 << 20
            request.topics = [
                FetchRequest.Topic {
                    $0.topicID = lane.topic
                    $0.partitions = [
                        FetchRequest.Partition {
                            $0.partition = lane.partition
                            $0.currentLeaderEpoch = leader.epoch
                            $0.fetchOffset = offset
                            $0.partitionMaxBytes = limit
                        }
                    ]
                }
            ]
        }
        history.statistics.calls += 1
        let asked = offset
        let endAtAsking = history.seenEnd(of: lane, upTo: leader.epoch)
        let leastStart = history.starts.least(lane, epoch: leader.epoch)
        client.call(request, to: leader.id, timeout: .seconds(3)) { [weak self] result in
            guard let self else { return }
            guard case .success(let response) = result, let answer = response.topics.first?.partitions.first,
                answer.errorCode == .none || answer.errorCode == .offsetOutOfRange
            else {
                history.statistics.failedCalls += 1
                return recover()
            }
            history.check(rangeOf: answer, lane, asked: asked, least: leastStart)
            history.saw(end: answer.highWatermark, of: lane, epoch: leader.epoch, noLessThan: endAtAsking)
            guard answer.errorCode == .none else {
                offset = answer.logStartOffset
                return again(after: .milliseconds(1))
            }
            let content = FetchedValues(answer, from: asked, epoch: leader.epoch, lane: lane)
            if let flaw = content.flaw { return world.fail(flaw) }
            for (offset, value) in content.values { history.read(value, from: lane, at: offset) }
            offset = content.next
            let isAtEnd = content.values.isEmpty
            if isAtEnd, random.next() % 4 == 0 { return choose() }
            again(after: .milliseconds(isAtEnd ? 20 : 1))
        }
    }
}

/// The values in the answer to a fetch, and what is wrong with them.
struct FetchedValues {
    private(set) var values: [(offset: Int64, value: Value)] = []
    /// Where the next fetch begins.
    private(set) var next: Int64
    private(set) var flaw: String?

    /// - Parameter epoch: of the leader that answered; no batch is of a later one.
    init(_ answer: FetchResponse.Partition, from offset: Int64, epoch: Int32 = .max, lane: Lane) {
        next = offset
        do {
            try read(answer, epoch, lane)
        } catch {
            flaw = "\(lane) offset \(next): a batch cannot be read: \(error)"
        }
    }

    private mutating func read(
        _ answer: FetchResponse.Partition, _ epoch: Int32, _ lane: Lane
    ) throws(RecordBatchError) {
        var batches = RecordBatches(answer.records.contiguous)
        while let batch = try batches.next() {
            guard batch.header.partitionLeaderEpoch <= epoch else {
                return flaw = "\(lane) offset \(next): epoch \(batch.header.partitionLeaderEpoch) given out in \(epoch)"
            }
            guard batch.isIntact else { return flaw = "\(lane) offset \(next): a wrong checksum" }
            var reader = try RecordBatchReader(batch, limit: 16.mebibytes)
            while let record = try reader.next() {
                if record.offset < next { continue }
                guard record.offset == next else {
                    return flaw = "\(lane): offset \(next) is missing before \(record.offset)"
                }
                guard record.offset < answer.highWatermark else {
                    return flaw = "\(lane): offset \(next) is given out, above the end \(answer.highWatermark)"
                }
                guard let value = Value(record.value) else {
                    return flaw = "\(lane) offset \(next): the value is damaged"
                }
                values.append((record.offset, value))
                next += 1
            }
        }
    }
}
