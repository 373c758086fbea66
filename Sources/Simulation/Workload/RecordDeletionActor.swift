import Basics
import KafkaWire

/// Deletes records now and then: a part of what is known of a lane, or all there is.
///
/// Owner: the `Workload`. One request under way.
final class RecordDeletionActor {
    private let client: SimulatedClient
    private let view: ClusterView
    private let history: History
    private var random: RandomSource
    private(set) var isBusy = false
    private var isFinishing = false
    private var world: World { client.world }

    init(in world: World, _ history: History) {
        client = world.makeClient()
        self.history = history
        random = world.random.fork("record deletion")
        view = ClusterView(client, random: world.random.fork("record deletion view"))
    }

    func start() { again() }
    func finish() { isFinishing = true }

    private func again() {
        world.scheduler.after(.milliseconds(Int64(200 + random.next() % 3_000))) { [weak self] in
            guard let self, !isFinishing else { return }
            view.refresh { [weak self] in self?.next() }
        }
    }

    private func next() {
        let lanes = view.lanes.filter { !history.isDeleted($0) }
        guard !isFinishing, !lanes.isEmpty else { return again() }
        let lane = lanes[Int(random.next() % UInt64(lanes.count))]
        guard let leader = view.leader(of: lane), let name = view.name(of: lane), history.pin(name) else {
            return again()
        }
        let known = history.knownEnd(of: lane)
        let isEverything = random.next() % 8 == 0
        let offset = isEverything ? LogStarts.everything : Int64(random.next() % UInt64(known + 1))
        delete(lane, name, before: offset, leader.id)
    }

    private func delete(_ lane: Lane, _ name: String, before offset: Int64, _ leader: NodeID) {
        isBusy = true
        history.starts.ask(lane, before: offset)
        history.statistics.calls += 1
        history.statistics.recordDeletions += 1
        let request = DeleteRecordsRequest { request in
            request.timeoutMs = 2_000
            request.topics = [
                DeleteRecordsRequest.Topic {
                    $0.name = name
                    $0.partitions = [
                        DeleteRecordsRequest.Partition {
                            $0.partitionIndex = lane.partition
                            $0.offset = offset
                        }
                    ]
                }
            ]
        }
        client.call(request, to: leader, timeout: .seconds(3)) { [weak self] result in
            guard let self else { return }
            isBusy = false
            answered(try? result.get().topics.first?.partitions.first, lane, before: offset)
            again()
        }
    }

    private func answered(_ answer: DeleteRecordsResponse.Partition?, _ lane: Lane, before offset: Int64) {
        switch answer?.errorCode {
        case ErrorCode.none?:
            history.starts.acknowledge(lane, before: offset, start: answer?.lowWatermark ?? -1)
        case .offsetOutOfRange? where !history.isDeleted(lane):
            world.failPromise("\(lane): no records before \(offset) to delete, though there are")
        case .unknownTopicOrPartition?: history.starts.refuse(lane, before: offset)
        default: history.statistics.failedCalls += 1
        }
    }
}
