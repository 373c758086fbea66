import Basics
import KafkaWire
import NIOCore
import Raft

/// The leader's part in the groups of a shard: timers, and the requests that wait. It decides nothing about who owns
/// what: it proposes commands, and answers when they are applied.
///
/// Owner: the shard, on the event loop; exists only while this broker leads the shard and serves it. Bounded by the
/// members of the groups, by `GroupConfiguration.pendingMembersMax`, and by the requests of each connection.
final class GroupCoordinator {
    typealias Completion = (Result<CommandResult, RaftError>) -> Void

    /// What the coordinator needs of the shard and of the world.
    struct Surroundings {
        /// A group as the shard's log makes it.
        var group: (_ groupID: String) -> Group?
        var groupIDs: () -> [String]
        var propose: (GroupCommand, @escaping Completion) -> Void
        var now: () -> NIODeadline
        var wallClock: () -> Milliseconds
        /// The cluster's topics, as far as this broker has heard of them.
        var metadata: () -> ClusterMetadata
        /// Whether what is not in `metadata` does not exist.
        var knowsAllTopics: () -> Bool
    }

    let configuration: GroupConfiguration
    let surroundings: Surroundings
    /// The groups of the new protocol (KIP-848).
    let consumers: ConsumerGroupCoordinator
    private var random: RandomSource
    private var coordinated: [String: CoordinatedGroup] = [:]
    /// Member ids handed out since they were counted last, and those counted.
    private var pendingMemberCount = 0
    private var nextOffsetsCheck: NIODeadline

    /// Takes office: every member gets a fresh session, every rebalance its time anew.
    init(_ configuration: GroupConfiguration, _ surroundings: Surroundings, seed: UInt64) {
        self.configuration = configuration
        self.surroundings = surroundings
        consumers = ConsumerGroupCoordinator(configuration, surroundings)
        random = RandomSource(seed: seed)
        nextOffsetsCheck = surroundings.now() + .milliseconds(configuration.offsetsCheckInterval)
        for groupID in surroundings.groupIDs() {
            guard let group = classic(groupID), !group.members.isEmpty else { continue }
            coordinatedGroup(groupID).adopt(group, now: now)
        }
        for groupID in coordinated.keys.sorted() { completeJoinIfReady(groupID) }
    }

    /// Leaves office: whoever waits must look for the next coordinator.
    func resign() {
        let left = coordinated.sorted { $0.key < $1.key }
        coordinated = [:]
        for (_, group) in left { group.refuseAll(.notCoordinator) }
    }

    var now: NIODeadline { surroundings.now() }

    func group(_ groupID: String) -> Group? { surroundings.group(groupID) }
    func classic(_ groupID: String) -> ClassicGroup? { group(groupID)?.classic }

    /// A group whose members use the new protocol, or some of them.
    func consumer(_ groupID: String) -> ConsumerGroup? { group(groupID)?.consumer.flatMap { $0.isEmpty ? nil : $0 } }

    /// What is remembered of a group; made if there is nothing yet.
    func coordinatedGroup(_ groupID: String) -> CoordinatedGroup {
        if let known = coordinated[groupID] { return known }
        let created = CoordinatedGroup(initialDelay: .milliseconds(configuration.initialRebalanceDelay))
        coordinated[groupID] = created
        return created
    }

    func existingCoordinatedGroup(_ groupID: String) -> CoordinatedGroup? { coordinated[groupID] }

    /// Gives a member a full session from now on.
    func touch(_ memberID: String, of groupID: String) {
        guard let group = classic(groupID) else {
            // Members of the new protocol show by heartbeats alone that they are alive.
            if consumer(groupID)?.members[memberID]?.classic != nil { consumers.touch(memberID, of: groupID) }
            return
        }
        coordinated[groupID]?.touch(memberID, of: group, now: now)
    }

    func propose(_ action: GroupCommand.Action, to groupID: String, _ completion: @escaping Completion) {
        surroundings.propose(GroupCommand(groupID, at: surroundings.wallClock(), action), completion)
    }

    // MARK: Following the state machine

    /// Commands about a group were applied.
    func observe(_ groupID: String) {
        consumers.observe(groupID)
        let isKnown = coordinated[groupID] != nil
        if let group = classic(groupID) {
            guard isKnown || !group.members.isEmpty else { return }
            coordinatedGroup(groupID).observe(group, now: now)
            completeJoinIfReady(groupID)
        } else {
            coordinated[groupID]?.observeNothing()
        }
        if coordinated[groupID]?.isIdle == true { coordinated[groupID] = nil }
    }

    private func completeJoinIfReady(_ groupID: String) {
        guard let group = classic(groupID), let command = coordinated[groupID]?.completionIfReady(group) else { return }
        proposeCompletion(command, of: groupID)
    }

    private func proposeCompletion(_ command: ClassicGroupCommand, of groupID: String) {
        propose(.classic(command), to: groupID) { [weak self] result in
            guard let self else { return }
            let isAccepted = if case .success = result { true } else { false }
            self.coordinated[groupID]?.completionEnded(isAccepted: isAccepted, now: self.now)
        }
    }

    // MARK: Time

    /// Called every few tens of milliseconds.
    func tick() {
        consumers.tick()
        let now = now
        for groupID in coordinated.filter({ $0.value.nextDeadline <= now }).keys.sorted() {
            for command in coordinated[groupID]?.commandsDue(classic(groupID), now: now) ?? [] {
                if case .completeJoin = command {
                    proposeCompletion(command, of: groupID)
                } else {
                    propose(.classic(command), to: groupID) { _ in }
                }
            }
            completeJoinIfReady(groupID)
            if coordinated[groupID]?.isIdle == true { coordinated[groupID] = nil }
        }
        guard nextOffsetsCheck <= now else { return }
        nextOffsetsCheck = now + .milliseconds(configuration.offsetsCheckInterval)
        expireOffsets()
    }

    /// Groups whose offsets are forgotten by one check: many at once would hold up everything else.
    private static let expirationsMax = 1_000

    private func expireOffsets() {
        let wallClock = surroundings.wallClock(), retention = configuration.offsetsRetention
        let due = surroundings.groupIDs().lazy.filter { groupID in
            guard let group = self.group(groupID), !group.hasMembers else { return false }
            return group.offsets.isEmpty || !group.expired(now: wallClock, retention: retention).isEmpty
        }
        for groupID in due.prefix(Self.expirationsMax) {
            propose(.expireOffsets(retention: retention), to: groupID) { _ in }
        }
    }

    // MARK: Member ids

    /// The client's own name in front, for people who read ids (Kafka's form).
    func makeMemberID(for join: ClassicJoin) -> String {
        // Scalars and not characters, one of which may be of any length.
        let name = String((join.member.instanceID ?? join.clientID).unicodeScalars.prefix(200))
        return "\(name)-\(uuid())"
    }

    private func uuid() -> String {
        let high = random.next() & ~0xF000 | 0x4000, low = random.next() & ~(0b11 << 62) | 0b10 << 62
        let digits = [high, low].map { word in
            let text = String(word, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }.joined()
        var groups: [Substring] = [], rest = digits[...]
        for length in [8, 4, 4, 4, 12] {
            groups.append(rest.prefix(length))
            rest = rest.dropFirst(length)
        }
        return groups.joined(separator: "-")
    }

    /// Notes one more member id to be handed out; false if there are too many already.
    func reservePendingMember() -> Bool {
        if pendingMemberCount >= configuration.pendingMembersMax {
            pendingMemberCount = coordinated.values.reduce(0) { $0 + $1.pendingMembers.count }
        }
        guard pendingMemberCount < configuration.pendingMembersMax else { return false }
        pendingMemberCount += 1
        return true
    }
}
