import Basics
import KafkaWire

/// What a member does with the lanes it has: finds where the group stands, reads on from there, and commits.
///
/// Owner: its member. One request for records and one commit under way.
final class GroupReader {
    /// A lane as long as the member has it.
    final class Holding {
        let lane: Lane
        /// Nil until it is known where the group stands.
        var position: Int64?
        /// The newest term when the position was reached: leaders of earlier ones may not have come so far.
        var term: Int32 = 0
        /// As far as was acknowledged or told.
        var committed: Int64 = -1
        /// The lane's end, as a leader told last.
        var end: Int64 = -1

        init(_ lane: Lane) { self.lane = lane }
    }

    /// In whose name it commits.
    struct Identity {
        var memberID: String
        /// Generation or member epoch.
        var epoch: Int32
        var instanceID: String?
        /// Whether offsets are asked for with the member's epoch.
        var showsEpoch = false
        var claim: PartitionClaims.Claim
        /// Counts the memberships of its member.
        var round: Int
    }

    private let plan: GroupPlan
    let process: MemberProcess
    let history: History
    let groups: GroupHistory
    private var random: RandomSource
    private(set) var holdings: [Lane: Holding] = [:]
    /// In which epoch it commits, while it does.
    private var committing: Int32?
    private var nextOffsetFetch = Instant.zero
    /// Nil while the member is none.
    var identity: () -> Identity? = { nil }
    /// The coordinator refused a commit or a question for offsets.
    var onRefusal: (ErrorCode, Identity) -> Void = { _, _ in }
    private var world: World { process.world }

    init(_ name: String, _ plan: GroupPlan, _ process: MemberProcess, history: History, groups: GroupHistory) {
        self.plan = plan
        self.process = process
        self.history = history
        self.groups = groups
        random = process.world.random.fork("reader of \(name)")
    }

    // MARK: Lanes

    var lanes: Set<Lane> { Set(holdings.keys) }

    func take(_ lanes: Set<Lane>) {
        for lane in lanes where holdings[lane] == nil { holdings[lane] = Holding(lane) }
    }

    func giveUp(_ lanes: Set<Lane>) {
        for lane in lanes { holdings[lane] = nil }
    }

    func giveUpAll() { holdings = [:] }

    /// Why it is not at the end of all it has, with everything committed; nil if it is.
    var backlog: String? {
        for lane in holdings.keys.sorted() where !history.isDeleted(lane) {
            guard let holding = holdings[lane], let position = holding.position else {
                return "\(lane): position unknown"
            }
            let end = max(holding.end, history.knownEnd(of: lane))
            if position < end { return "\(lane): at \(position) of \(end)" }
            if holding.committed < position, position > 0 { return "\(lane): \(position) is not committed" }
        }
        return nil
    }

    // MARK: Work

    /// Begins with the process and ends with it.
    func start() {
        committing = nil
        holdings = [:]
        again(after: .milliseconds(20))
        commitLater()
    }

    private func again(after delay: TimeSpan) {
        process.after(delay) { [weak self] in self?.next() }
    }

    private func next() {
        let unknown = holdings.values.filter { $0.position == nil }.map(\.lane).sorted()
        if !unknown.isEmpty, nextOffsetFetch <= world.scheduler.now {
            nextOffsetFetch = world.scheduler.now + .milliseconds(200)
            return fetchOffsets(of: unknown)
        }
        fetchRecords()
    }

    // MARK: Committed offsets

    /// Whether what the group commits of this lane can be told from another topic's of the same name.
    private func isUnmistakable(_ lane: Lane) -> Bool {
        guard plan.namesTopics else { return true }
        return process.view.name(of: lane).map { !history.renewedNames.contains($0) } ?? false
    }

    private func fetchOffsets(of lanes: [Lane]) {
        // What it commits itself would come behind the answer. In another epoch it must be refused.
        guard let identity = identity(), committing != identity.epoch else { return again(after: .milliseconds(100)) }
        let view = process.view
        let lanes = plan.namesTopics ? lanes.filter { view.name(of: $0) != nil } : lanes
        guard !lanes.isEmpty else {
            process.refreshView()
            return again(after: .milliseconds(100))
        }
        let wanted = lanes.compactMap { holdings[$0] }
        let floors = groups.offsets.floors(of: lanes, group: plan.id)
        let names = Dictionary(uniqueKeysWithValues: lanes.map { ($0, view.name(of: $0) ?? "") })
        let request = OffsetFetchRequest { request in
            request.groups = [
                OffsetFetchRequest.Group {
                    $0.groupID = plan.id
                    $0.memberID = identity.showsEpoch ? identity.memberID : nil
                    $0.memberEpoch = identity.showsEpoch ? identity.epoch : -1
                    $0.topics = Self.byTopic(lanes).map { topic, lanes in
                        OffsetFetchRequest.GroupTopic {
                            $0.topicID = topic
                            $0.name = names[lanes[0]] ?? ""
                            $0.partitionIndexes = lanes.map(\.partition)
                        }
                    }
                }
            ]
        }
        process.askCoordinator(request, version: plan.namesTopics ? 9 : nil) { [weak self] response in
            guard let self else { return }
            if let group = response?.groups.first {
                for holding in wanted {
                    let topic = group.topics.first {
                        plan.namesTopics ? $0.name == names[holding.lane] : $0.topicID == holding.lane.topic
                    }
                    let answer = topic?.partitions.first { $0.partitionIndex == holding.lane.partition }
                    if let answer { take(answer, holding, floor: floors[holding.lane] ?? 0) }
                }
                if group.errorCode.asksForCoordinator {
                    process.forgetCoordinator()
                } else if group.errorCode != .none {
                    onRefusal(group.errorCode, identity)
                }
            }
            again(after: .milliseconds(10))
        }
    }

    private func take(_ answer: OffsetFetchResponse.Partition, _ holding: Holding, floor: UInt64) {
        guard answer.errorCode == .none else { return process.refreshView() }
        if isUnmistakable(holding.lane), !history.isDeleted(holding.lane) {
            groups.offsets.read(
                answer.committedOffset, answer.metadata ?? "", of: holding.lane, group: plan.id, floor: floor)
        }
        holding.committed = answer.committedOffset
        holding.position = max(answer.committedOffset, 0)
        holding.term = world.newestTerm
    }

    static func byTopic(_ lanes: [Lane]) -> [(topic: TopicID, lanes: [Lane])] {
        var result: [(topic: TopicID, lanes: [Lane])] = []
        for lane in lanes.sorted() {
            if result.last?.topic == lane.topic {
                result[result.count - 1].lanes.append(lane)
            } else {
                result.append((lane.topic, [lane]))
            }
        }
        return result
    }

    // MARK: Records

    private func fetchRecords() {
        let ready = holdings.values.filter { $0.position != nil }.sorted { $0.lane < $1.lane }
        let leaders = Set(ready.compactMap { process.view.leader(of: $0.lane) })
            .sorted { ($0.id, $0.epoch) < ($1.id, $1.epoch) }
        let knowsAll = ready.allSatisfy { process.view.leader(of: $0.lane) != nil }
        if leaders.isEmpty || !knowsAll || random.next() % 64 == 0 { process.refreshView() }
        guard !leaders.isEmpty else { return again(after: .milliseconds(100)) }
        let leader = leaders[Int(random.next() % UInt64(leaders.count))]
        let asked = ready.filter { process.view.leader(of: $0.lane) == leader }.map { holding in
            Asked(
                holding: holding, position: holding.position ?? 0, term: holding.term,
                least: history.starts.least(holding.lane, epoch: leader.epoch),
                end: history.seenEnd(of: holding.lane, upTo: leader.epoch))
        }
        process.fetch(Self.request(asked, leader), from: leader.id) { [weak self] response in
            guard let self else { return }
            var isInTrouble = response == nil, hasRead = false
            for topic in response?.topics ?? [] {
                for answer in topic.partitions {
                    let lane = Lane(topic: topic.topicID, partition: answer.partitionIndex)
                    guard let asked = asked.first(where: { $0.holding.lane == lane }) else { continue }
                    guard answer.errorCode == .none || answer.errorCode == .offsetOutOfRange else {
                        isInTrouble = true
                        continue
                    }
                    if take(answer, asked, leader) { hasRead = true }
                }
            }
            if isInTrouble { process.refreshView() }
            again(after: .milliseconds(isInTrouble ? 100 : hasRead ? 10 : 50))
        }
    }

    /// A lane in a request for records, and what was known of it then.
    private struct Asked {
        let holding: Holding
        let position: Int64
        let term: Int32
        let least: Int64
        let end: Int64
    }

    private static func request(_ asked: [Asked], _ leader: ClusterView.Leader) -> FetchRequest {
        let positions = Dictionary(uniqueKeysWithValues: asked.map { ($0.holding.lane, $0.position) })
        return FetchRequest { request in
            request.maxWaitMs = 300
            request.minBytes = 1
            request.maxBytes = 1 << 20
            request.topics = byTopic(Array(positions.keys)).map { topic, lanes in
                FetchRequest.Topic {
                    $0.topicID = topic
                    $0.partitions = lanes.map { lane in
                        FetchRequest.Partition {
                            $0.partition = lane.partition
                            $0.currentLeaderEpoch = leader.epoch
                            $0.fetchOffset = positions[lane] ?? 0
                            $0.partitionMaxBytes = 100_000
                        }
                    }
                }
            }
        }
    }

    /// - Returns: whether there were records.
    private func take(_ answer: FetchResponse.Partition, _ asked: Asked, _ leader: ClusterView.Leader) -> Bool {
        let holding = asked.holding, lane = holding.lane
        history.check(rangeOf: answer, lane, asked: asked.position, least: asked.least)
        history.saw(end: answer.highWatermark, of: lane, epoch: leader.epoch, noLessThan: asked.end)
        guard answer.errorCode == .none else {
            // Deleted, or another topic's offset where topics go by name.
            let mustKnow = isUnmistakable(lane) && !history.isDeleted(lane) && leader.epoch >= asked.term
            if asked.position > answer.highWatermark, mustKnow {
                world.failPromise(
                    "group \(plan.id), \(lane): committed is \(asked.position) of \(answer.highWatermark)")
            }
            holding.position = answer.logStartOffset
            return true
        }
        let content = FetchedValues(answer, from: asked.position, epoch: leader.epoch, lane: lane)
        if let flaw = content.flaw {
            world.fail(flaw)
            return false
        }
        for (offset, value) in content.values { history.read(value, from: lane, at: offset) }
        holding.end = answer.highWatermark
        // What was given up meanwhile is another's to read.
        guard holdings[lane] === holding else { return false }
        if isUnmistakable(lane) { groups.read(plan.id, lane, from: asked.position, to: content.next) }
        holding.position = content.next
        holding.term = max(holding.term, leader.epoch)
        return !content.values.isEmpty
    }

    // MARK: Commits

    private func commitLater() {
        process.after(.milliseconds(Int64(200 + random.next() % 800))) { [weak self] in
            self?.commit()
            self?.commitLater()
        }
    }

    /// Commits what is new. `completion` is called in any case.
    func commit(then completion: @escaping () -> Void = {}) {
        let view = process.view
        let dirty = holdings.values.filter { holding in
            let isNew = holding.position.map { $0 > holding.committed && $0 > 0 } ?? false
            return isNew && (!plan.namesTopics || view.name(of: holding.lane) != nil)
        }.sorted { $0.lane < $1.lane }
        guard committing == nil, !dirty.isEmpty, let identity = identity() else { return completion() }
        committing = identity.epoch
        // Now and then the application is slow to send what it has made up its mind to commit: by then another member
        // may have the lane, and it must be refused.
        let delay = random.next() % 16 == 0 ? TimeSpan.milliseconds(Int64(random.next() % 3_000)) : .zero
        let send = { [weak self] in self?.send(dirty, as: identity, then: completion) ?? () }
        if delay == .zero { send() } else { process.after(delay, send) }
    }

    private func send(_ dirty: [Holding], as identity: Identity, then completion: @escaping () -> Void) {
        let view = process.view
        let commits = dirty.map { holding in
            GroupCommit(
                holding, number: groups.offsets.begin(holding.position ?? 0, of: holding.lane, group: plan.id),
                name: view.name(of: holding.lane) ?? "",
                isOvertaken: groups.claims.isOvertaken(identity.claim, on: holding.lane),
                isUnmistakable: isUnmistakable(holding.lane))
        }
        let newest = groups.generations.newest(of: plan.id)
        let request = GroupCommit.request(commits, plan, identity)
        process.askCoordinator(request, version: plan.namesTopics ? 9 : nil) { [weak self] response in
            guard let self else { return }
            committing = nil
            let refusal = settle(commits, response, identity, newest)
            if let refusal, refusal.asksForCoordinator {
                process.forgetCoordinator()
            } else if let refusal {
                onRefusal(refusal, identity)
            }
            completion()
        }
    }

    /// - Returns: why the group refuses the member's commit, if it does.
    private func settle(
        _ commits: [GroupCommit], _ response: OffsetCommitResponse?, _ identity: Identity, _ newest: Int32
    ) -> ErrorCode? {
        var refusal: ErrorCode?
        for commit in commits {
            let code = commit.answer(in: response, isNamed: plan.namesTopics)
            let outcome = GroupCommit.outcome(of: code)
            groups.offsets.end(
                commit.number, outcome, isForward: commit.isUnmistakable && !history.isDeleted(commit.holding.lane))
            switch (outcome, code) {
            case (.acknowledged, _):
                history.statistics.committed += 1
                commit.holding.committed = max(commit.holding.committed, commit.offset)
                let what = "group \(plan.id): a commit of \(identity.claim.name) in epoch \(identity.epoch) was taken"
                if commit.isOvertaken { world.failPromise("\(what), when another had \(commit.holding.lane)") }
                if identity.epoch < newest { world.failPromise("\(what) in generation \(newest)") }
            case (_, .unknownTopicID?), (_, .unknownTopicOrPartition?): process.refreshView()
            case (_, let code): refusal = refusal ?? code
            }
        }
        return refusal
    }
}
