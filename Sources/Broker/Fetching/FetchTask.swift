import Basics
import KafkaWire
import Logging
import NIOCore
import SegmentLog

/// One fetch request: reads its partitions in order, and waits for more if there is too little (KIP-74's rules).
///
/// Owner: the broker, on the event loop; the shards it waits in hold it too, until it is answered. Reading pauses while
/// a block comes from disk and goes on where it stopped.
final class FetchTask {
    private let broker: Broker
    private let request: FetchRequest
    private let context: RequestContext
    private let deadline: NIODeadline
    private var response = FetchResponse()
    /// The partition being read, as positions in the request.
    private var topicPosition = 0
    private var partitionPosition = 0
    /// What a partition's reader has found so far, while something that it needs is loaded.
    private var pausedReader: BatchReader?
    private var bytesLeft: Int
    private var mustAnswer = false
    private var isReading = false
    private var isAnswered = false
    private var waitingKeys: [PartitionKey] = []
    private var bytesMissing = 0
    private var timer: Scheduled<Void>?

    init(_ request: FetchRequest, _ context: RequestContext, broker: Broker) {
        self.broker = broker
        self.request = request
        self.context = context.withoutBytes
        let wait = min(Milliseconds(max(request.maxWaitMs, 0)), broker.configuration.requestWaitMax)
        deadline = broker.loop.now + .milliseconds(wait)
        bytesLeft = 0
    }

    func start() {
        response = FetchResponse { $0.topics = [] }
        waitingKeys.removeAll(keepingCapacity: true)
        topicPosition = 0
        partitionPosition = 0
        bytesLeft = min(max(Int(request.maxBytes), 0), broker.configuration.fetchBytesMax)
        mustAnswer = request.maxWaitMs <= 0 || request.topics.allSatisfy(\.partitions.isEmpty)
        isReading = true
        read()
    }

    // MARK: Reading

    /// Reads partition after partition until all are read, or one needs a block from disk.
    private func read() {
        while topicPosition < request.topics.count {
            let topic = request.topics[topicPosition]
            // Not by the partition's position: reading comes here again after a pause for the disk.
            if response.topics.count == topicPosition {
                response.topics.append(
                    FetchResponse.Topic {
                        $0.name = topic.name
                        $0.topicID = topic.topicID
                    })
            }
            guard partitionPosition < topic.partitions.count else {
                topicPosition += 1
                partitionPosition = 0
                continue
            }
            guard let partition = readPartition(topic, topic.partitions[partitionPosition]) else { return }
            response.topics[topicPosition].partitions.append(partition)
            bytesLeft -= partition.records.byteCount
            partitionPosition += 1
        }
        isReading = false
        finishOrWait()
    }

    /// The answer for one partition; nil when something must be loaded first, after which `read` is called again.
    private func readPartition(
        _ topic: FetchRequest.Topic, _ requested: FetchRequest.Partition
    ) -> FetchResponse.Partition? {
        // It is this partition's or nobody's: whatever is answered below, the next one must not go on with it.
        let paused = pausedReader
        pausedReader = nil
        var answer = emptyAnswer(requested)
        let known =
            context.version >= 13 ? broker.metadata.topic(topic.topicID) : broker.metadata.topic(named: topic.name)
        guard let known, requested.partition >= 0, requested.partition < known.partitionCount else {
            answer.errorCode = broker.reasonForNoPartition(of: known, askedByID: context.version >= 13)
            mustAnswer = true
            return answer
        }
        let key = PartitionKey(known.number, requested.partition)
        let shard = broker.shard(of: key)
        guard check(requested, shard, &answer) else {
            mustAnswer = true
            return answer
        }
        let state = shard.state(of: key)
        let end = state?.nextOffset ?? .zero, start = state?.logStart ?? .zero
        answer.highWatermark = end.rawValue
        answer.lastStableOffset = end.rawValue
        answer.logStartOffset = start.rawValue
        if let diverging = divergence(requested, state) {
            answer.divergingEpoch = diverging
            mustAnswer = true
            return answer
        }
        let offset = Offset(requested.fetchOffset)
        guard offset >= start, offset <= end else {
            answer.errorCode = .offsetOutOfRange
            mustAnswer = true
            return answer
        }
        waitingKeys.append(key)
        guard let state, offset < end else { return answer }
        let limit = min(max(Int(requested.partitionMaxBytes), 0), bytesLeft)
        // Meanwhile the name may have become another topic's.
        var reader = paused.flatMap { $0.key == key ? $0 : nil } ?? BatchReader(shard: shard, state: state, key: key)
        switch reader.read(from: offset, bytesMax: limit, mustReturnOne: isFirstData) {
        case .batches(let records):
            answer.records = records
            return answer
        case .needs(let missing):
            pausedReader = reader
            waitingKeys.removeLast()
            load(missing, from: shard)
            return nil
        case .damaged(let error):
            broker.logger.error(
                "a block in the log cannot be read", metadata: ["partition": "\(key)", "error": "\(error)"])
            answer.errorCode = .kafkaStorageError
            mustAnswer = true
            return answer
        }
    }

    private func emptyAnswer(_ requested: FetchRequest.Partition) -> FetchResponse.Partition {
        FetchResponse.Partition {
            $0.partitionIndex = requested.partition
            $0.highWatermark = -1
            $0.abortedTransactions = request.isolationLevel == 0 ? nil : []
        }
    }

    /// The first batch of a response is returned whole however large it is, so that a consumer always gets on.
    private var isFirstData: Bool {
        !response.topics.contains { $0.partitions.contains { !$0.records.isEmpty } }
    }

    /// Whether this broker may answer for the partition to a client with this epoch.
    private func check(
        _ requested: FetchRequest.Partition, _ shard: Shard, _ answer: inout FetchResponse.Partition
    ) -> Bool {
        if let error = shard.reasonNotToServe(clientEpoch: requested.currentLeaderEpoch) {
            answer.errorCode = error
            if context.version >= 16, let hint = broker.leaderHint(shard) {
                answer.currentLeader = hint.leader
                if !response.nodeEndpoints.contains(where: { $0.nodeID == hint.endpoint.nodeID }) {
                    response.nodeEndpoints.append(hint.endpoint)
                }
            }
            return false
        }
        return true
    }

    /// Where the client's log and this one part, if what the client read last was cut off here (KIP-595).
    private func divergence(
        _ requested: FetchRequest.Partition, _ state: PartitionState?
    ) -> FetchResponse.EpochEndOffset? {
        guard context.version >= 12, requested.lastFetchedEpoch >= 0, let state else { return nil }
        guard let end = state.endOffset(ofEpoch: requested.lastFetchedEpoch) else { return nil }
        guard end.epoch != requested.lastFetchedEpoch || end.endOffset.rawValue < requested.fetchOffset else {
            return nil
        }
        return FetchResponse.EpochEndOffset {
            $0.epoch = end.epoch
            $0.endOffset = end.endOffset.rawValue
        }
    }

    private func load(_ missing: Missing, from shard: Shard) {
        context.connection?.beginColdRead()
        shard.load(missing) { [self] result in
            context.connection?.endColdRead()
            guard context.isWanted else {
                isAnswered = true
                return
            }
            if case .failure(let error) = result {
                pausedReader = nil
                broker.logger.error("the log cannot be read", metadata: ["missing": "\(missing)", "error": "\(error)"])
                answerUnreadable()
            }
            read()
        }
    }

    /// The partition being read is damaged where the client wants it; the others may be well.
    private func answerUnreadable() {
        var answer = emptyAnswer(request.topics[topicPosition].partitions[partitionPosition])
        answer.errorCode = .kafkaStorageError
        response.topics[topicPosition].partitions.append(answer)
        partitionPosition += 1
        mustAnswer = true
    }

    // MARK: Waiting

    private func finishOrWait() {
        let bytes = response.topics.reduce(0) { $0 + $1.partitions.reduce(0) { $0 + $1.records.byteCount } }
        bytesMissing = Int(request.minBytes) - bytes
        if mustAnswer || bytesMissing <= 0 || deadline <= broker.loop.now
            || broker.waitingFetchCount >= broker.configuration.waitingFetchesMax
        {
            answer()
            return
        }
        broker.waitingFetchCount += 1
        for key in waitingKeys { broker.shard(of: key).waitingFetches.add(self, to: key) }
        timer = broker.loop.assumeIsolated().scheduleTask(deadline: deadline) { [weak self] in self?.wake() ?? () }
    }

    /// A partition that this fetch waits for grew.
    func appended(_ bytes: Int) {
        bytesMissing -= bytes
        if bytesMissing <= 0 { wake() }
    }

    /// Reads again: there is enough, the time is up, or the leader changed.
    func wake() {
        guard !isAnswered, !isReading, timer != nil else { return }
        stopWaiting()
        guard context.isWanted else {
            isAnswered = true
            return
        }
        start()
    }

    private func stopWaiting() {
        timer?.cancel()
        timer = nil
        broker.waitingFetchCount -= 1
        for key in waitingKeys { broker.shard(of: key).waitingFetches.remove(self, from: key) }
    }

    private func answer() {
        isAnswered = true
        context.respond(response)
    }
}
