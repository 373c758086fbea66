import KafkaWire
import NIOCore
import Synchronization

@testable import MartletClient

/// A group as its coordinator keeps it: hands out the assignment that a test sets, and takes offsets.
final class FakeGroup: Sendable {
    struct State {
        var heartbeats: [ConsumerGroupHeartbeatRequest] = []
        var epoch: Int32 = 0
        var assignment: [Int32] = []
        /// Whether the member has not heard of the assignment yet.
        var isNew = true
        var committed: [Int32: Int64] = [:]
        var commits: [OffsetCommitRequest] = []
        /// The codes that the next heartbeats get.
        var errors: [ErrorCode] = []
        var commitErrors: [ErrorCode] = []
    }

    private let state = Mutex(State())
    private let topic: TopicID

    init(_ one: OneBroker, assignment: [Int32]) {
        topic = one.topic.id
        state.withLock { $0.assignment = assignment }
        let name = one.topic.name
        one.broker.update { script in
            script.versions[.consumerGroupHeartbeat] = 0...1
            script.answer(FindCoordinatorRequest.self) { _ in FindCoordinatorResponse() }
            script.answer(ConsumerGroupHeartbeatRequest.self) { self.heartbeat($0) }
            script.answer(OffsetFetchRequest.self) { request in self.fetchOffsets(request, name) }
            script.answer(OffsetCommitRequest.self) { self.commit($0) }
        }
    }

    func update(_ change: (inout State) -> Void) { state.withLock { change(&$0) } }
    func read<Value>(_ body: (State) -> Value) -> Value { state.withLock { body($0) } }

    /// Waits until the coordinator's state is as told.
    func wait(until condition: (State) -> Bool) async throws {
        while !read(condition) {
            try Task.checkCancellation()
            await Task.yield()
        }
    }

    func assign(_ partitions: [Int32]) {
        update {
            $0.assignment = partitions
            $0.isNew = true
        }
    }

    private func heartbeat(_ request: ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse {
        state.withLock { state in
            state.heartbeats.append(request)
            return ConsumerGroupHeartbeatResponse { response in
                response.heartbeatIntervalMs = 2
                if !state.errors.isEmpty {
                    response.errorCode = state.errors.removeFirst()
                    return
                }
                guard request.memberEpoch >= 0 else {
                    response.memberEpoch = request.memberEpoch
                    return
                }
                if request.memberEpoch == 0 { state.isNew = true }
                if state.isNew {
                    state.epoch += 1
                    state.isNew = false
                    response.assignment = .init { assignment in
                        assignment.topicPartitions = [
                            TopicPartitions {
                                $0.topicID = topic
                                $0.partitions = state.assignment
                            }
                        ]
                    }
                }
                response.memberID = request.memberID
                response.memberEpoch = state.epoch
            }
        }
    }

    private func fetchOffsets(_ request: OffsetFetchRequest, _ name: String) -> OffsetFetchResponse {
        let committed = read(\.committed)
        return OffsetFetchResponse {
            $0.groups = request.groups.map { group in
                .init {
                    $0.groupID = group.groupID
                    $0.topics = [
                        .init {
                            $0.name = name
                            $0.partitions = committed.map { index, offset in
                                .init {
                                    $0.partitionIndex = index
                                    $0.committedOffset = offset
                                }
                            }
                        }
                    ]
                }
            }
        }
    }

    private func commit(_ request: OffsetCommitRequest) -> OffsetCommitResponse {
        state.withLock { state in
            let code = state.commitErrors.isEmpty ? ErrorCode.none : state.commitErrors.removeFirst()
            if code == .none {
                state.commits.append(request)
                for partition in request.topics.flatMap(\.partitions) {
                    state.committed[partition.partitionIndex] = partition.committedOffset
                }
            }
            return OffsetCommitResponse {
                $0.topics = request.topics.map { topic in
                    .init {
                        $0.name = topic.name
                        $0.partitions = topic.partitions.map { partition in
                            .init {
                                $0.partitionIndex = partition.partitionIndex
                                $0.errorCode = code
                            }
                        }
                    }
                }
            }
        }
    }
}
