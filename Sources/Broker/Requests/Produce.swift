import Basics
import DequeModule
import KafkaWire
import NIOCore
import Raft

/// A produce request under way: its partitions are committed in any order and answered together.
///
/// Owner: the broker. Lives until its last partition has an outcome; `PendingProduces` answers earlier on time-out.
final class PendingProduce {
    let context: RequestContext
    let acks: Int16
    let deadline: NIODeadline
    var response = ProduceResponse()
    var unanswered = 0
    private(set) var isAnswered = false

    init(_ context: RequestContext, acks: Int16, deadline: NIODeadline) {
        self.context = context.withoutBytes
        self.acks = acks
        self.deadline = deadline
    }

    /// Answers when every partition has its outcome, and only once.
    func answerIfComplete() {
        guard unanswered == 0, !isAnswered else { return }
        answer()
    }

    /// The time is up: partitions without an outcome get REQUEST_TIMED_OUT. Their batches may still be committed.
    func expire() {
        guard !isAnswered else { return }
        for topic in response.topics.indices {
            for partition in response.topics[topic].partitions.indices
            where response.topics[topic].partitions[partition].baseOffset == Self.undecided {
                response.topics[topic].partitions[partition].errorCode = .requestTimedOut
                response.topics[topic].partitions[partition].baseOffset = -1
            }
        }
        answer()
    }

    private func answer() {
        isAnswered = true
        guard acks == 0 else { return context.respond(response) }
        // A producer that wants no answer notices an error by the end of its connection alone.
        let hasFailed = response.topics.contains { $0.partitions.contains { $0.errorCode != .none } }
        if hasFailed { context.fail() } else { context.finishSilently() }
    }

    /// The base offset of a partition without an outcome.
    static let undecided = Int64.min
}

/// Every produce request under way, in the order of arrival, so that time-outs need no timer each.
struct PendingProduces {
    private var pending: Deque<PendingProduce> = []

    mutating func add(_ produce: PendingProduce) { pending.append(produce) }

    /// Forgets what is answered up to the first that is not. Most are answered in the order of arrival.
    mutating func forgetAnswered() {
        while pending.first?.isAnswered == true { pending.removeFirst() }
    }

    /// Answers what has waited too long, and forgets what is answered. Called every few tens of milliseconds.
    mutating func expire(now: NIODeadline) {
        pending.removeAll { produce in
            if !produce.isAnswered, produce.deadline <= now { produce.expire() }
            return produce.isAnswered
        }
    }
}

/// Produce: validates batches and hands them to their shards' Raft groups. Answered when committed and flushed on a
/// quorum, for acks=1 as for acks=-1.
extension Broker {
    func produce(_ request: ProduceRequest, _ context: RequestContext) {
        let wait = min(max(Milliseconds(request.timeoutMs), 0), configuration.requestWaitMax)
        let pending = PendingProduce(context, acks: request.acks, deadline: loop.now + .milliseconds(wait))
        pending.response.topics = request.topics.map { topic in
            ProduceResponse.Topic {
                $0.name = topic.name
                $0.topicID = topic.topicID
                $0.partitions = topic.partitions.map { partition in
                    ProduceResponse.Partition {
                        $0.index = partition.index
                        $0.baseOffset = PendingProduce.undecided
                    }
                }
            }
        }
        // Held until every partition was taken: a command that is refused has its outcome at once.
        pending.unanswered = 1
        // By position, since iterators would copy each element.
        for position in request.topics.indices {
            let topic =
                context.version >= 13
                ? metadata.topic(request.topics[position].topicID)
                : metadata.topic(named: request.topics[position].name)
            for partition in request.topics[position].partitions.indices {
                append(at: ProduceSlot(topic: position, partition: partition), of: request, topic, pending)
            }
        }
        pending.unanswered -= 1
        if pending.unanswered > 0 { pendingProduces.add(pending) }
        pending.answerIfComplete()
    }

    /// A partition's place in a produce response.
    struct ProduceSlot {
        let topic: Int
        let partition: Int
    }

    private func append(
        at slot: ProduceSlot, of request: ProduceRequest, _ topic: Topic?, _ pending: PendingProduce
    ) {
        let partition = request.topics[slot.topic].partitions[slot.partition]
        func refuse(_ code: ErrorCode, _ message: String? = nil) {
            finish(slot, of: pending, .failure(ProduceRefusal(code: code, message: message)))
        }
        guard [-1, 0, 1].contains(request.acks) else { return refuse(.invalidRequiredAcks) }
        guard let topic, partition.index >= 0, partition.index < topic.partitionCount else {
            return refuse(reasonForNoPartition(of: topic, askedByID: pending.context.version >= 13))
        }
        let key = PartitionKey(topic.number, partition.index)
        let shard = shard(of: key)
        guard shard.isServing else { return refuseNotLeader(shard, slot, pending) }
        let checked = ProduceCheck(version: pending.context.version, config: topic.config, now: wallClock())
        let batch: ProduceCheck.Batch
        do {
            batch = try checked.check(partition.records)
        } catch {
            return refuse(error.code, error.message)
        }
        let command = ProduceCommand(
            partition: key, recordCount: batch.header.recordCount, maxTimestamp: batch.header.maxTimestamp,
            producerID: batch.header.producerID, producerEpoch: batch.header.producerEpoch,
            baseSequence: batch.header.baseSequence, proposedAt: checked.now)
        pending.unanswered += 1
        let appendTime = topic.config.usesLogAppendTime ? checked.now : -1
        let isCompressed = batch.header.attributes.codec != Codec.none
        let isKept = batch.bytes.readableBytes >= configuration.keptPayloadBytesMin
        shard.node.propose(
            payload: batch.bytes, isCompressed: isCompressed,
            payloadChecksum: isKept ? batch.header.checksum(ofAll: batch.bytes) : nil
        ) { [self] result in
            pending.unanswered -= 1
            let response = result.map { shard.node.response(at: $0) }
            committed(command, response, shard, slot, pending, appendTime: appendTime)
            pending.answerIfComplete()
            pendingProduces.forgetAnswered()
        } writeHead: {
            Command.produce(command).write(to: &$0)
        }
    }

    private func committed(
        _ command: ProduceCommand, _ result: Result<CommandResult, RaftError>, _ shard: Shard, _ slot: ProduceSlot,
        _ pending: PendingProduce, appendTime: Milliseconds
    ) {
        guard !pending.isAnswered else { return }
        switch result {
        case .success(.refused(.outOfOrderSequenceNumber)) where mayBeFilled(gapBefore: command, shard):
            refuseForNow(slot, of: pending)
        case .success(.appended(let baseOffset, let logStart)):
            let outcome = ProduceOutcome(baseOffset: baseOffset, logStart: logStart, appendTime: appendTime)
            finish(slot, of: pending, .success(outcome))
        case .success(.refused(let code)):
            finish(slot, of: pending, .failure(ProduceRefusal(code: code, message: nil)))
        case .success:
            preconditionFailure("the state machine answers a produce with offsets or a refusal")
        case .failure(.notLeader), .failure(.leadershipLost):
            refuseNotLeader(shard, slot, pending)
        case .failure(.overloaded):
            finish(
                slot, of: pending, .failure(ProduceRefusal(code: .requestTimedOut, message: "\(RaftError.overloaded)")))
        case .failure(let error):
            finish(slot, of: pending, .failure(ProduceRefusal(code: .kafkaStorageError, message: "\(error)")))
        }
    }

    /// Longer than clients wait for an answer before they send again, shorter than they keep trying.
    private static var gapPatience: Milliseconds { 90_000 }

    /// Whether the batches that are missing before a refused one may yet come: they went to the leader before this one,
    /// which does not answer, or were turned away by this one when it could not serve.
    private func mayBeFilled(gapBefore command: ProduceCommand, _ shard: Shard) -> Bool {
        let known = shard.state(of: command.partition)?.producers[command.producerID]
        if known?.contradicts(epoch: command.producerEpoch, sequence: command.baseSequence) == true { return false }
        if let since = shard.servingSince, loop.now - since < .milliseconds(Self.gapPatience) { return true }
        return known.map { wallClock() - $0.lastSeen < Self.gapPatience } ?? false
    }

    /// Makes the client send again, in order. To OUT_OF_ORDER_SEQUENCE_NUMBER some answer by numbering anew all that
    /// they have not heard of, and what was stored of that would be stored again.
    private func refuseForNow(_ slot: ProduceSlot, of pending: PendingProduce) {
        let message = "batches before this one are missing; send them first"
        finish(slot, of: pending, .failure(ProduceRefusal(code: .notLeaderOrFollower, message: message)))
    }

    private struct ProduceOutcome {
        let baseOffset: Offset
        let logStart: Offset
        let appendTime: Milliseconds
    }

    private func finish(
        _ slot: ProduceSlot, of pending: PendingProduce, _ result: Result<ProduceOutcome, ProduceRefusal>
    ) {
        var partition = pending.response.topics[slot.topic].partitions[slot.partition]
        switch result {
        case .success(let outcome):
            partition.baseOffset = outcome.baseOffset.rawValue
            partition.logStartOffset = outcome.logStart.rawValue
            partition.logAppendTimeMs = outcome.appendTime
        case .failure(let refusal):
            partition.baseOffset = -1
            partition.errorCode = refusal.code
            partition.errorMessage = refusal.message
        }
        pending.response.topics[slot.topic].partitions[slot.partition] = partition
    }

    /// NOT_LEADER_OR_FOLLOWER with the way to the leader, where it is known (KIP-951).
    private func refuseNotLeader(_ shard: Shard, _ slot: ProduceSlot, _ pending: PendingProduce) {
        finish(slot, of: pending, .failure(ProduceRefusal(code: .notLeaderOrFollower, message: nil)))
        guard pending.context.version >= 10, let hint = leaderHint(shard) else { return }
        pending.response.topics[slot.topic].partitions[slot.partition].currentLeader = hint.leader
        if !pending.response.nodeEndpoints.contains(where: { $0.nodeID == hint.endpoint.nodeID }) {
            pending.response.nodeEndpoints.append(hint.endpoint)
        }
    }

    /// Who leads a shard and where clients reach it; nil while that is this broker (not ready yet) or unknown.
    func leaderHint(_ shard: Shard) -> (leader: LeaderIDAndEpoch, endpoint: NodeEndpoint)? {
        guard let leader = shard.leader, leader != configuration.nodeID, let broker = metadata.brokers[leader] else {
            return nil
        }
        let hint = LeaderIDAndEpoch {
            $0.leaderID = leader.rawValue
            $0.leaderEpoch = shard.leaderEpoch
        }
        let endpoint = NodeEndpoint {
            $0.nodeID = leader.rawValue
            $0.host = broker.host
            $0.port = broker.port
            $0.rack = broker.rack
        }
        return (hint, endpoint)
    }
}
