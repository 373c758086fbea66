import KafkaWire
import NIOCore

/// A member's life in its group: heartbeats in a task of their own, and what they lead to inside the call that asks for
/// the next record.
///
/// Runs on the event loop of its connections to the coordinator, which are apart from those for fetching: a heartbeat
/// must not wait behind a long poll.
actor GroupSession {
    nonisolated let configuration: GroupConsumerConfiguration
    nonisolated let fetcher: Fetcher
    nonisolated let progress = GroupProgress()
    nonisolated let cluster: Cluster
    nonisolated var unownedExecutor: UnownedSerialExecutor { cluster.unownedExecutor }
    let group: String
    let topics: [String]

    /// Made here, so that a join that is repeated is recognised (KIP-1082).
    let memberID: String
    var epoch: Int32 = 0
    /// The assignment that the broker last sent, until it is carried out.
    var wanted: [TopicPartitions]?
    /// The broker must hear what this member owns.
    var mustReport = false
    /// The broker has given this member up.
    var isLost = false
    private(set) var failure: KafkaClientError?
    private var phase = Phase.idle
    private var heartbeats: Task<Void, Never>?
    private var pause: CheckedContinuation<Void, Never>?
    /// Somebody did not wait for the pause to begin.
    private var isPoked = false
    private var commits: Task<Void, Never>?
    private var isCommitDue = false
    private var closed: [CheckedContinuation<Void, Never>] = []

    private enum Phase { case idle, member, closed }

    init(
        _ client: KafkaClientConfiguration, group: String, topics: [String], _ configuration: GroupConsumerConfiguration
    ) {
        cluster = Cluster(client)
        fetcher = Fetcher(client, configuration.fetch, .assigned)
        self.configuration = configuration
        self.group = group
        self.topics = topics
        var random = SystemRandomNumberGenerator()
        memberID = TopicID(using: &random).description
    }

    // MARK: - The iterator's side

    nonisolated var hasNews: Bool { progress.hasNews }
    nonisolated func owns(_ partition: TopicPartition) -> Bool { progress.owns(partition) }
    nonisolated func gaveOut(_ records: [ConsumerRecord]) { progress.gaveOut(records) }
    nonisolated func consumedGivenOut() { progress.consumedGivenOut() }
    var owned: Set<TopicPartition> { progress.owned }

    /// Joins at the first call, and says whether to go on.
    func isReady() throws(KafkaClientError) -> Bool {
        if phase == .idle { start() }
        if let failure { throw failure }
        return phase == .member
    }

    /// Carries out what the heartbeats brought: partitions go first, then others come.
    func settle() async throws(KafkaClientError) {
        progress.hasNews = false
        if let failure { throw failure }
        guard phase == .member else { return }
        if isLost { await giveUpAll() }
        do {
            if let wanted { try await reconcile(wanted) }
            try await commitIfDue()
        } catch {
            guard error.isRetriable else { throw error }
            // The next heartbeat finds out what is the matter; the assignment is still to be carried out.
            progress.hasNews = true
            try await cluster.pause(cluster.configuration.retryBackoff)
        }
    }

    private func giveUpAll() async {
        let all = progress.owned
        await fetcher.revoke(all)
        progress.remove(all)
        isLost = false
        wanted = nil
        if !all.isEmpty { await configuration.onRebalance?(.lost(all.inOrder)) }
        poke()
    }

    private func reconcile(_ assignment: [TopicPartitions]) async throws(KafkaClientError) {
        let target = try await partitions(of: assignment)
        let gone = progress.owned.subtracting(target), new = target.subtracting(progress.owned)
        if !gone.isEmpty {
            // What cannot be committed is read again by the next owner.
            if configuration.commitInterval != nil { try? await commit(progress.consumed) }
            await configuration.onRebalance?(.revoked(gone.inOrder))
            await fetcher.revoke(gone)
            progress.remove(gone)
        }
        if !new.isEmpty {
            await fetcher.assign(try await startOffsets(of: new.inOrder))
            progress.add(new)
            await configuration.onRebalance?(.assigned(new.inOrder))
        }
        // Another assignment may have come meanwhile.
        if wanted == assignment { wanted = nil } else { progress.hasNews = true }
        mustReport = true
        poke()
    }

    /// The partitions by name. A topic that cannot be named yet is one that the brokers asked do not know yet.
    private func partitions(of assignment: [TopicPartitions]) async throws(KafkaClientError) -> Set<TopicPartition> {
        var names = cluster.metadata.namesByID
        if assignment.contains(where: { names[$0.topicID] == nil }) {
            for topic in topics { try await cluster.refreshMetadata(adding: topic) }
            names = cluster.metadata.namesByID
        }
        var partitions: Set<TopicPartition> = []
        for topic in assignment {
            guard let name = names[topic.topicID] else { throw .broker(.unknownTopicID, "topic \(topic.topicID)") }
            partitions.formUnion(topic.partitions.map { TopicPartition(name, $0) })
        }
        return partitions
    }

    private func startOffsets(
        of partitions: [TopicPartition]
    ) async throws(KafkaClientError) -> [TopicPartition: Int64] {
        let new = Set(partitions)
        let committed = try await cluster.committedOffsets(of: group).filter { new.contains($0.key) }
        let start: ConsumerStart = configuration.start == .beginning ? .beginning : .end
        // Asked for those that have an offset too: the fetcher learns of their topics.
        let beginnings = try await fetcher.beginnings(of: partitions, start)
        return beginnings.merging(committed.mapValues(\.offset)) { _, committed in committed }
    }

    // MARK: - Commits

    private func commitIfDue() async throws(KafkaClientError) {
        guard isCommitDue else { return }
        isCommitDue = false
        try await commit(progress.consumed)
    }

    /// Has the iterator commit from time to time. Not done beside it: a commit that is late must not overtake the
    /// partition's next owner.
    private func remindOfCommits(every interval: Duration) async {
        while phase == .member, (try? await Task.sleep(for: interval)) != nil {
            guard !progress.consumed.isEmpty else { continue }
            isCommitDue = true
            await tellIterator()
        }
    }

    func commitGivenOut() async throws(KafkaClientError) {
        progress.consumedGivenOut()
        try await commit(progress.consumed)
    }

    /// Tries again while the coordinator changes, and while the member's epoch does.
    func commit(_ offsets: [TopicPartition: Int64]) async throws(KafkaClientError) {
        guard !offsets.isEmpty else { return }
        let deadline = NIODeadline.now() + TimeAmount(cluster.configuration.operationTimeout)
        var backoff = Backoff(cluster.configuration)
        while true {
            do {
                try await cluster.commit(
                    offsets, of: group, memberID: memberID, epoch: epoch, instanceID: configuration.instanceID)
                return progress.committed(offsets)
            } catch {
                let passes = error.isRetriable || error.brokerError == .staleMemberEpoch
                guard passes, .now() < deadline else { throw error }
                await cluster.forgetCoordinator(of: group)
            }
            try await cluster.pause(backoff.next())
        }
    }

    // MARK: - Heartbeats

    private func start() {
        phase = .member
        heartbeats = Task { await self.beat() }
        if let interval = configuration.commitInterval {
            commits = Task { await self.remindOfCommits(every: interval) }
        }
    }

    private func beat() async {
        var backoff = Backoff(cluster.configuration)
        while phase == .member, failure == nil {
            if isLost {
                await rest(for: .seconds(1))
                continue
            }
            do {
                let interval = try await heartbeat()
                backoff.reset()
                if !mustReport { await rest(for: interval) }
            } catch {
                guard error.isRetriable else { return fail(error) }
                await cluster.forgetCoordinator(of: group)
                await rest(for: backoff.next())
            }
        }
    }

    /// - Returns: how long to wait until the next one.
    private func heartbeat() async throws(KafkaClientError) -> Duration {
        let isReporting = mustReport
        mustReport = false
        let response: ConsumerGroupHeartbeatResponse
        do {
            response = try await cluster.request(heartbeatRequest(isReporting), to: .coordinator(group))
        } catch {
            mustReport = mustReport || isReporting
            throw error
        }
        switch response.errorCode {
        case .none:
            epoch = response.memberEpoch
            if let assignment = response.assignment {
                wanted = assignment.topicPartitions
                await tellIterator()
            }
            return .milliseconds(Int64(max(response.heartbeatIntervalMs, 1)))
        case .fencedMemberEpoch, .unknownMemberID:
            epoch = 0
            isLost = true
            await tellIterator()
            return .zero
        case let code:
            mustReport = mustReport || isReporting
            throw .broker(code, "group \(group)", message: response.errorMessage)
        }
    }

    /// Everything at the beginning, afterwards only what this member owns, and that only when it has changed.
    private func heartbeatRequest(_ isReporting: Bool) -> ConsumerGroupHeartbeatRequest {
        let isJoining = epoch == ConsumerGroupHeartbeatRequest.MemberEpoch.join
        return ConsumerGroupHeartbeatRequest { request in
            request.groupID = group
            request.memberID = memberID
            request.memberEpoch = epoch
            request.instanceID = configuration.instanceID
            if isJoining {
                request.rackID = configuration.rackID
                request.rebalanceTimeoutMs = Int32(
                    clamping: TimeAmount(configuration.rebalanceTimeout).nanoseconds / 1_000_000)
                request.subscribedTopicNames = topics
                request.serverAssignor = configuration.assignor
                request.topicPartitions = []
            } else if isReporting {
                let names = cluster.metadata.topics
                let byTopic = Dictionary(grouping: progress.owned, by: \.topic).sorted { $0.key < $1.key }
                request.topicPartitions = byTopic.map { name, partitions in
                    TopicPartitions {
                        $0.topicID = names[name]?.id ?? .zero
                        $0.partitions = partitions.map(\.partition).sorted()
                    }
                }
            }
        }
    }

    private func tellIterator() async {
        progress.hasNews = true
        await fetcher.interrupt()
    }

    private func fail(_ error: KafkaClientError) {
        failure = error
        progress.hasNews = true
        Task { await fetcher.interrupt() }
    }

    /// Waits until the time is up or ``poke()``.
    private func rest(for time: Duration) async {
        guard !isPoked, phase == .member else {
            isPoked = false
            return
        }
        let timer = cluster.eventLoop.scheduleTask(in: TimeAmount(time)) { self.assumeIsolated { $0.endPause() } }
        await withCheckedContinuation { pause = $0 }
        timer.cancel()
        isPoked = false
    }

    private func poke() {
        isPoked = true
        endPause()
    }

    private func endPause() {
        pause?.resume()
        pause = nil
    }

    // MARK: - The end

    func close() async {
        guard phase != .closed else { return }
        let wasMember = phase == .member && failure == nil && !isLost
        phase = .closed
        commits?.cancel()
        let consumed = progress.consumed
        if wasMember, configuration.commitInterval != nil, !consumed.isEmpty {
            // Once: whoever closes does not wait for a cluster that is away.
            try? await cluster.commit(
                consumed, of: group, memberID: memberID, epoch: epoch, instanceID: configuration.instanceID)
        }
        fetcher.finish()
        poke()
        await heartbeats?.value
        if wasMember { await leave() }
        await cluster.close()
        for continuation in closed { continuation.resume() }
        closed = []
    }

    /// A static member says that it will be back; the broker keeps its partitions for it for a while.
    private func leave() async {
        typealias Epoch = ConsumerGroupHeartbeatRequest.MemberEpoch
        let request = ConsumerGroupHeartbeatRequest {
            $0.groupID = group
            $0.memberID = memberID
            $0.memberEpoch = configuration.instanceID == nil ? Epoch.leave : Epoch.leaveStatic
            $0.instanceID = configuration.instanceID
        }
        // Who does not hear of it learns by the session timeout.
        _ = try? await cluster.request(request, to: .coordinator(group))
    }

    /// Nobody holds the consumer any more: the member leaves without waiting for anything.
    nonisolated func abandon() { Task { await self.close() } }

    func waitUntilClosed() async {
        guard phase != .closed else { return }
        await withCheckedContinuation { closed.append($0) }
    }
}

extension Set<TopicPartition> {
    /// By topic and number.
    var inOrder: [TopicPartition] { sorted { ($0.topic, $0.partition) < ($1.topic, $1.partition) } }
}
