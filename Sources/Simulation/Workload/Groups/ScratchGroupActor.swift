import Basics
import KafkaWire

/// A tool that keeps offsets in a group without members: commits, fetches and deletes them, and the group; or one that
/// only looks at them, at the coordinator that it found once.
///
/// Owner: the `Workload`. One request under way.
final class ScratchGroupActor {
    private static let group = "scratch"

    private let onlyReads: Bool

    private let client: SimulatedClient
    private let view: ClusterView
    private let history: History
    private let offsets: CommittedOffsets
    private var random: RandomSource
    private var coordinator: NodeID?
    private var lanes: [Lane: String] = [:]
    /// Up to where it has read what was acknowledged.
    private var seenFloor: UInt64 = 0
    private var isFinishing = false
    private var world: World { client.world }

    init(in world: World, _ history: History, _ offsets: CommittedOffsets, onlyReads: Bool) {
        self.onlyReads = onlyReads
        client = world.makeClient()
        self.history = history
        self.offsets = offsets
        let name = onlyReads ? "scratch group reader" : "scratch group"
        random = world.random.fork(name)
        view = ClusterView(client, random: world.random.fork("\(name) view"))
    }

    func start() { again(after: .milliseconds(500)) }
    func finish() { isFinishing = true }

    private func rest() { again(after: .milliseconds(onlyReads ? 50 : Int64(100 + random.next() % 1_500))) }

    private func again(after delay: TimeSpan) {
        world.scheduler.after(delay) { [weak self] in self?.next() }
    }

    private func next() {
        guard !isFinishing else { return }
        guard let coordinator else { return findCoordinator() }
        chooseLanes()
        guard let (lane, name) = lanes.min(by: { $0.key < $1.key }) else {
            return view.refresh { [weak self] in self?.rest() }
        }
        switch random.next() % 8 {
        case _ where onlyReads: fetchIfChanged(lane, coordinator)
        case 0: deleteGroup(coordinator)
        case 1: deleteOffset(of: lane, name, coordinator)
        case 2...4: commit(lane, coordinator)
        default: fetch(lane, coordinator)
        }
    }

    /// Two lanes are enough. They go by their topics' names too.
    private func chooseLanes() {
        lanes = lanes.filter { !history.isDeleted($0.key) }
        for lane in view.lanes.sorted() where lanes.count < 2 && !history.isDeleted(lane) {
            if let name = view.name(of: lane), history.pin(name) { lanes[lane] = name }
        }
    }

    private func findCoordinator() {
        let request = FindCoordinatorRequest { $0.coordinatorKeys = [Self.group] }
        client.call(request, to: view.anyBroker(), timeout: .seconds(2)) { [weak self] result in
            guard let self else { return }
            let found = try? result.get().coordinators.first
            if let found, found.errorCode == .none { coordinator = NodeID(found.nodeID) }
            again(after: .milliseconds(20))
        }
    }

    private func ask<Request: KafkaRequest>(
        _ request: Request, _ broker: NodeID, completion: @escaping (Request.Response?) -> Void
    ) {
        history.statistics.calls += 1
        client.call(request, to: broker, timeout: .seconds(2)) { [weak self] result in
            guard let self else { return }
            let response = try? result.get()
            if response == nil {
                history.statistics.failedCalls += 1
                coordinator = nil
            }
            completion(response)
            // Without a coordinator it looks for the next one at once.
            if coordinator == nil { again(after: .milliseconds(20)) } else { rest() }
        }
    }

    private func note(_ code: ErrorCode?) {
        if code?.asksForCoordinator ?? true { coordinator = nil }
    }

    private func commit(_ lane: Lane, _ broker: NodeID) {
        let offset = Int64(random.next() % 1_000)
        let number = offsets.begin(offset, of: lane, group: Self.group)
        let request = OffsetCommitRequest { request in
            request.groupID = Self.group
            request.topics = [
                OffsetCommitRequest.Topic {
                    $0.topicID = lane.topic
                    $0.partitions = [
                        OffsetCommitRequest.Partition {
                            $0.partitionIndex = lane.partition
                            $0.committedOffset = offset
                            $0.committedMetadata = "\(number)"
                        }
                    ]
                }
            ]
        }
        ask(request, broker) { [weak self] response in
            guard let self else { return }
            let code = response?.topics.first?.partitions.first?.errorCode
            offsets.end(number, GroupCommit.outcome(of: code), isForward: false)
            note(code)
        }
    }

    /// Reads what was just acknowledged to the other one, perhaps by another coordinator, when the one that it knows
    /// was stopped and does not know that it was deposed. Seldom for no reason: that would be under way just then.
    private func fetchIfChanged(_ lane: Lane, _ broker: NodeID) {
        let floor = offsets.floors(of: [lane], group: Self.group)[lane] ?? 0
        guard floor > seenFloor || random.next() % 64 == 0 else { return rest() }
        seenFloor = floor
        fetch(lane, broker)
    }

    private func fetch(_ lane: Lane, _ broker: NodeID) {
        let floor = offsets.floors(of: [lane], group: Self.group)[lane] ?? 0
        let request = OffsetFetchRequest { request in
            request.groups = [
                OffsetFetchRequest.Group {
                    $0.groupID = Self.group
                    $0.topics = [
                        OffsetFetchRequest.GroupTopic {
                            $0.topicID = lane.topic
                            $0.partitionIndexes = [lane.partition]
                        }
                    ]
                }
            ]
        }
        ask(request, broker) { [weak self] response in
            guard let self, let group = response?.groups.first else { return }
            note(group.errorCode)
            guard let answer = group.topics.first?.partitions.first, answer.errorCode == .none,
                !history.isDeleted(lane)
            else { return }
            offsets.read(answer.committedOffset, answer.metadata ?? "", of: lane, group: Self.group, floor: floor)
        }
    }

    private func deleteOffset(of lane: Lane, _ name: String, _ broker: NodeID) {
        let deletion = offsets.beginDeletion(of: lane, group: Self.group)
        let request = OffsetDeleteRequest { request in
            request.groupID = Self.group
            request.topics = [
                OffsetDeleteRequest.Topic {
                    $0.name = name
                    $0.partitions = [OffsetDeleteRequest.Partition { $0.partitionIndex = lane.partition }]
                }
            ]
        }
        ask(request, broker) { [weak self] response in
            guard let self else { return }
            let code = response.flatMap { response in
                response.errorCode == .none ? response.topics.first?.partitions.first?.errorCode : response.errorCode
            }
            offsets.endDeletion(deletion, isAcknowledged: code == ErrorCode.none)
            note(code)
        }
    }

    private func deleteGroup(_ broker: NodeID) {
        let deletion = offsets.beginDeletion(of: nil, group: Self.group)
        ask(DeleteGroupsRequest { $0.groupsNames = [Self.group] }, broker) { [weak self] response in
            guard let self else { return }
            let code = response?.results.first?.errorCode
            offsets.endDeletion(deletion, isAcknowledged: code == ErrorCode.none)
            if code == .nonEmptyGroup { world.fail("group \(Self.group) cannot be deleted, though nobody is in it") }
            note(code)
        }
    }
}
