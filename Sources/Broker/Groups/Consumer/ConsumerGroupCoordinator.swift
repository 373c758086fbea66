import Basics
import KafkaWire
import NIOCore
import Raft

/// The leader's part in groups of the new protocol (KIP-848): sessions, the time that members have to give up
/// partitions, and what topics there are. It decides nothing about who owns what: it proposes commands.
///
/// Owner: the `GroupCoordinator`, on the event loop; has office as long as that. Bounded by the members of the groups.
final class ConsumerGroupCoordinator {
    typealias Completion = (Result<ConsumerGroupAnswer, ConsumerGroupRefusal>) -> Void

    let configuration: GroupConfiguration
    let surroundings: GroupCoordinator.Surroundings
    private var timers: ConsumerGroupTimers
    private var resolver = TopicPatternResolver()
    /// Groups of which it is not known whether they know the topics as they are now.
    private var unchecked: Set<String> = []
    private var checkedRevision: UInt64?
    /// Groups whose last member of the new protocol has gone.
    private var revertible: Set<String> = []
    /// Members whose end is proposed and not applied yet.
    private var expiring: Set<Expiring> = []

    private struct Expiring: Hashable {
        let groupID: String
        let memberID: String
    }

    /// Takes office: every member gets a fresh session.
    init(_ configuration: GroupConfiguration, _ surroundings: GroupCoordinator.Surroundings) {
        self.configuration = configuration
        self.surroundings = surroundings
        timers = ConsumerGroupTimers(sessionTimeout: .milliseconds(configuration.consumerSessionTimeout))
        for groupID in surroundings.groupIDs() { observe(groupID) }
    }

    func group(_ groupID: String) -> ConsumerGroup? { surroundings.group(groupID)?.consumer }

    /// The members that have not given up what others shall get.
    func holdUp(of groupID: String) -> GroupHoldUp? {
        let revocations = timers.revocations(in: groupID)
        guard let group = group(groupID), let began = revocations.values.min() else { return nil }
        let members = revocations.keys.sorted().map { memberID in
            GroupHoldUp.Member(id: memberID, clientID: group.members[memberID]?.clientID ?? "")
        }
        return GroupHoldUp(members: members, missing: .revocation, elapsed: surroundings.now() - began)
    }

    // MARK: Requests

    /// Takes a heartbeat. One that changes nothing is answered at once.
    ///
    /// - Parameter heartbeat: what the member said; what the state machine must know besides is added here.
    func heartbeat(_ heartbeat: ConsumerGroupHeartbeat, _ groupID: String, completion: @escaping Completion) {
        var heartbeat = heartbeat
        do throws(ConsumerGroupRefusal) {
            try complete(&heartbeat)
        } catch {
            return completion(.failure(error))
        }
        perform(.heartbeat(heartbeat), groupID, completion: completion)
    }

    /// Gives a member a full session from now on.
    func touch(_ memberID: String, of groupID: String) {
        timers.touch(groupID, memberID, now: surroundings.now())
    }

    func leave(_ leave: ConsumerGroupLeave, _ groupID: String, completion: @escaping Completion) {
        perform(.leave(leave), groupID, completion: completion)
    }

    /// Adds the topics that the member subscribes to, as this broker knows them, and the configured limit.
    private func complete(_ heartbeat: inout ConsumerGroupHeartbeat) throws(ConsumerGroupRefusal) {
        heartbeat.sizeMax = configuration.consumerSizeMax
        let metadata = surroundings.metadata()
        if let regex = heartbeat.pattern?.regex, !regex.isEmpty {
            do throws(PatternError) {
                heartbeat.pattern?.topicNames = try resolver.topicNames(matching: regex, in: metadata)
            } catch {
                throw ConsumerGroupRefusal(
                    .invalidRegularExpression, "the regular expression '\(regex)' is not accepted: \(error)")
            }
        }
        let names = Set(heartbeat.topicNames ?? []).union(heartbeat.pattern?.topicNames ?? [])
        heartbeat.topics = SubscribedTopics(version: metadata.topicsRevision, topics: metadata.subscribed(names))
    }

    private func perform(_ command: ConsumerGroupCommand, _ groupID: String, completion: @escaping Completion) {
        let isJoin = if case .heartbeat(let heartbeat) = command { heartbeat.memberEpoch == 0 } else { false }
        if isJoin, let classic = surroundings.group(groupID)?.classic, !classic.members.isEmpty {
            return convert(classic, groupID, for: command, completion: completion)
        }
        // Whose end is on its way into the log is answered behind it: it shall not go on for another interval.
        if !isExpiring(command, groupID), let preview = (surroundings.group(groupID) ?? Group()).preview(command) {
            return finish(preview, groupID, completion)
        }
        if isJoin {
            submitJoin(command, groupID, completion: completion)
        } else {
            submit(command, groupID, completion: completion)
        }
    }

    private func isExpiring(_ command: ConsumerGroupCommand, _ groupID: String) -> Bool {
        guard case .heartbeat(let heartbeat) = command else { return false }
        return expiring.contains(Expiring(groupID: groupID, memberID: heartbeat.memberID))
    }

    func submit(_ command: ConsumerGroupCommand, _ groupID: String, completion: @escaping Completion) {
        // Whatever comes of it, the member is alive.
        if case .heartbeat(let heartbeat) = command {
            timers.touch(groupID, heartbeat.memberID, now: surroundings.now())
        }
        propose(command, groupID) { [weak self] result in
            switch result {
            case .success(.consumerGroup(let result)): self?.finish(result, groupID, completion)
            case .success:
                preconditionFailure("the state machine answers a consumer group's command with its result")
            case .failure(let error):
                completion(.failure(ConsumerGroupRefusal(error.groupErrorCode, "\(error)")))
            }
        }
    }

    func finish(
        _ result: Result<ConsumerGroupAnswer?, ConsumerGroupRefusal>, _ groupID: String, _ completion: Completion
    ) {
        switch result {
        case .success(let answer?):
            timers.touch(groupID, answer.memberID, now: surroundings.now())
            completion(.success(answer))
        case .success(nil): preconditionFailure("a member's command has an answer")
        case .failure(let refusal): completion(.failure(refusal))
        }
    }

    func propose(
        _ command: ConsumerGroupCommand, _ groupID: String, _ completion: @escaping GroupCoordinator.Completion
    ) {
        surroundings.propose(GroupCommand(groupID, at: surroundings.wallClock(), .consumer(command)), completion)
    }

    // MARK: Following the state machine and the topics

    /// Commands about a group were applied.
    func observe(_ groupID: String) {
        let group = group(groupID)
        timers.observe(groupID, group, now: surroundings.now())
        if let group, group.topicsVersion != checkedRevision { unchecked.insert(groupID) }
        if group?.isClassicOnly == true, configuration.migration.revertsToClassic { revertible.insert(groupID) }
    }

    /// Called every few tens of milliseconds.
    func tick() {
        for overdue in timers.overdue(now: surroundings.now()) {
            let member = Expiring(groupID: overdue.groupID, memberID: overdue.memberID)
            expiring.insert(member)
            propose(.expire(memberID: overdue.memberID, epoch: overdue.epoch), overdue.groupID) { [weak self] _ in
                self?.expiring.remove(member)
            }
        }
        let reverting = revertible.sorted()
        revertible = []
        for groupID in reverting where group(groupID)?.isClassicOnly == true {
            propose(.revert, groupID) { [weak self] result in
                // Too much is waiting: later.
                if case .failure = result { self?.revertible.insert(groupID) }
            }
        }
        // Right after its start a broker does not know yet what topics there are: nobody must lose any for that.
        guard surroundings.knowsAllTopics() else { return }
        let revision = surroundings.metadata().topicsRevision
        if revision != checkedRevision {
            checkedRevision = revision
            unchecked = Set(surroundings.groupIDs())
        }
        for groupID in unchecked.sorted() { checkTopics(of: groupID) }
        unchecked = []
    }

    /// Tells the group of its topics, if they are not as it knows them.
    private func checkTopics(of groupID: String) {
        guard let group = group(groupID), !group.isEmpty else { return }
        let metadata = surroundings.metadata()
        var names = group.subscribedNames, patterns: [SubscribedPattern] = []
        for regex in group.patterns.sorted() {
            // One that has become too expensive keeps the topics it has.
            guard let found = try? resolver.topicNames(matching: regex, in: metadata) else { continue }
            patterns.append(SubscribedPattern(regex: regex, topicNames: found))
            names.formUnion(found)
        }
        let topics = SubscribedTopics(
            version: metadata.topicsRevision, topics: metadata.subscribed(names), patterns: patterns)
        let command = ConsumerGroupCommand.topicsChanged(topics)
        guard group.preview(command) == nil else { return }
        propose(command, groupID) { [weak self] result in
            // Too much is waiting: later.
            if case .failure = result { self?.unchecked.insert(groupID) }
        }
    }
}

extension ClusterMetadata {
    /// The topics of those names that exist, in order.
    func subscribed(_ names: Set<String>) -> [SubscribedTopic] {
        names.sorted().compactMap { name in
            topic(named: name).map {
                SubscribedTopic(name: name, id: $0.id, number: $0.number, partitionCount: $0.partitionCount)
            }
        }
    }
}
