import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

/// One group with clients that join, leave, crash, stall and come back, over a network that delays, repeats and loses.
///
/// Owner: a test. The clients keep the one promise of the protocol: within an epoch they take nothing that is not in
/// their assignment, and they say of nothing that they gave it up before they did.
final class ConsumerGroupModel {
    /// A client process. Its member id is its own for ever.
    final class Client {
        let id: String
        let instance: String?
        var topics: Set<Int>
        var epoch: Int32 = 0
        var assigned: Set<TopicIDPartition> = []
        /// What it really reads.
        var owned: Set<TopicIDPartition> = []
        /// The number of the heartbeat whose answer it waits for.
        var outstanding: Int?
        var mustTellAll = true
        /// The group gave it up, and it does not know: it may read what is another's by now.
        var isExpired = false

        init(id: String, instance: String?, topics: Set<Int>) {
            self.id = id
            self.instance = instance
            self.topics = topics
        }

        func startOver() {
            epoch = 0
            owned = []
            assigned = []
            outstanding = nil
            mustTellAll = true
            isExpired = false
        }
    }

    var random: RandomSource
    private(set) var group = ConsumerGroup()
    private(set) var clients: [Client] = []
    private var partitionCounts: [Int: Int32] = [0: 3, 1: 5, 2: 1]
    private var topicsVersion: UInt64 = 1
    private var inFlight: [(number: Int, sender: Client, heartbeat: ConsumerGroupHeartbeat)] = []
    /// Members whose process has died, or which left for a while: the leader's timers will expire them.
    private var doomed: [String] = []
    private var number = 0

    init(seed: UInt64) { random = RandomSource(seed: seed) }

    private func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    // MARK: The group

    /// Applies a command as replicas do: from its bytes.
    private func apply(_ command: ConsumerGroupCommand) -> Result<ConsumerGroupAnswer?, ConsumerGroupRefusal> {
        var bytes = ByteBuffer()
        command.write(to: &bytes)
        let decoded = bytes.withUnsafeReadableBytes { bytes in
            var reader = HeadReader(bytes)
            return Result { () throws(CommandError) in try ConsumerGroupCommand(from: &reader) }
        }
        guard case .success(command) = decoded else { preconditionFailure("\(command) became \(decoded)") }
        let before = group
        if let unchanged = before.preview(command) {
            let result = group.apply(command)
            #expect(result == unchanged && group == before)
            return result
        }
        return group.apply(command)
    }

    private func topic(_ number: Int) -> SubscribedTopic? {
        partitionCounts[number].map { ConsumerGroup.topic(UInt64(number), $0) }
    }

    private func topicsChanged() {
        let topics = partitionCounts.keys.sorted().compactMap(topic)
        _ = apply(.topicsChanged(SubscribedTopics(version: topicsVersion, topics: topics)))
    }

    // MARK: Clients

    private func start(instance: String? = nil) {
        number += 1
        let topics = Set((0..<4).filter { _ in chance(60) })
        clients.append(Client(id: "member-\(number)", instance: instance, topics: topics))
    }

    private func send(_ client: Client) {
        number += 1
        inFlight.append((number, client, heartbeat(of: client)))
        client.outstanding = number
    }

    private func heartbeat(of client: Client) -> ConsumerGroupHeartbeat {
        var heartbeat = ConsumerGroup.beat(client.id, client.epoch)
        heartbeat.instanceID = client.instance
        if client.mustTellAll {
            heartbeat.rebalanceTimeout = 1_000
            heartbeat.topicNames = client.topics.sorted().map { "t\($0)" }
            let topics = client.topics.sorted().compactMap(topic)
            heartbeat.topics = SubscribedTopics(version: topicsVersion, topics: topics)
        }
        if client.mustTellAll || chance(70) { heartbeat.owned = client.epoch == 0 ? [] : client.owned.sorted() }
        client.mustTellAll = false
        return heartbeat
    }

    private func deliver(_ position: Int) {
        let (number, client, heartbeat) = chance(10) ? inFlight[position] : inFlight.remove(at: position)
        let result = apply(.heartbeat(heartbeat))
        guard client.outstanding == number, !chance(10) else { return }
        receive(result, client)
    }

    private func receive(_ result: Result<ConsumerGroupAnswer?, ConsumerGroupRefusal>, _ client: Client) {
        client.outstanding = nil
        switch result {
        case .success(let answer?):
            client.epoch = answer.memberEpoch
            if let assignment = answer.assignment { client.assigned = Set(assignment) }
        case .success(nil): preconditionFailure("a heartbeat has an answer")
        case .failure: client.startOver()
        }
    }

    /// The client gives up some of what it shall give up; only when that is done it takes what is new.
    private func work(_ client: Client, isPrompt: Bool = false) {
        let surplus = client.owned.subtracting(client.assigned)
        if !surplus.isEmpty {
            client.owned.subtract(surplus.filter { _ in isPrompt || chance(50) })
        } else if isPrompt || chance(70) {
            client.owned = client.assigned
        }
    }

    private func stop(_ client: Client) {
        clients.removeAll { $0 === client }
        client.owned = []
        let isTemporary = client.instance != nil && chance(70)
        if chance(60), client.epoch > 0 {
            _ = apply(
                .leave(ConsumerGroupLeave(memberID: client.id, instanceID: client.instance, isTemporary: isTemporary)))
        }
        doomed.append(client.id)
        if let instance = client.instance, chance(70) { start(instance: instance) }
    }

    private func expire(_ id: String) {
        guard let member = group.members[id] else { return }
        _ = apply(.expire(memberID: id, epoch: member.epoch))
        for client in clients where client.id == id { client.isExpired = true }
    }

    // MARK: A run

    /// One thing happens.
    func step() {
        let client = clients.randomElement(using: &random)
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<6: if clients.count < 8 { start(instance: chance(30) ? "static-\(number)" : nil) }
        case 6..<9: if let client { stop(client) }
        case 9..<12: if let id = doomed.popLast() { expire(id) }
        case 12: if let client { expire(client.id) }
        case 13..<16: if let client { subscribeAnew(client) }
        case 16..<18: changeTopics()
        case 18..<20: topicsChanged()
        case 20..<25:
            // The answer does not come: the client tells all again.
            if let client, client.outstanding != nil {
                client.outstanding = nil
                client.mustTellAll = true
            }
        case 25..<50: if let client { work(client) }
        case 50..<72: if let client, client.outstanding == nil { send(client) }
        default: if !inFlight.isEmpty { deliver(Int.random(in: inFlight.indices, using: &random)) }
        }
        check()
    }

    private func subscribeAnew(_ client: Client) {
        client.topics = Set((0..<4).filter { _ in chance(60) })
        client.mustTellAll = true
    }

    private func changeTopics() {
        topicsVersion += 1
        let number = Int.random(in: 0..<4, using: &random)
        if partitionCounts[number] == nil {
            partitionCounts[number] = Int32.random(in: 0...6, using: &random)
        } else {
            partitionCounts[number, default: 0] += 1
        }
    }

    /// What must hold at every moment.
    private func check() {
        var readers: [TopicIDPartition: String] = [:]
        for client in clients where !client.isExpired {
            for partition in client.owned {
                let other = readers.updateValue(client.id, forKey: partition)
                #expect(other == nil, "\(partition) is read by \(client.id) and \(other ?? "")")
                #expect(group.owners[partition] == client.id, "\(client.id) reads what the group thinks is free")
            }
        }
        var holders: [TopicIDPartition: String] = [:]
        for member in group.members.values {
            for partition in Array(member.assigned.keys) + Array(member.revoking.keys) {
                #expect(holders.updateValue(member.id, forKey: partition) == nil, "\(partition) is assigned twice")
            }
        }
        #expect(holders == group.owners)
        for (id, target) in group.targets { #expect(group.members[id] != nil || target.isEmpty) }
    }

    /// Everybody behaves from now on, and nothing is lost: how many rounds of heartbeats does it take?
    func roundsToSettle(limit: Int) -> Int? {
        inFlight = []
        for member in group.members.keys where !clients.contains(where: { $0.id == member }) { expire(member) }
        topicsChanged()
        for client in clients { client.mustTellAll = true }
        for round in 0..<limit {
            if isSettled { return round }
            for client in clients {
                client.outstanding = nil
                if client.epoch == 0 { client.mustTellAll = true }
                let result = apply(.heartbeat(heartbeat(of: client)))
                receive(result, client)
                work(client, isPrompt: true)
                work(client, isPrompt: true)
                check()
            }
            for id in doomed { expire(id) }
            doomed = []
        }
        return nil
    }

    private var isSettled: Bool {
        guard clients.isEmpty || group.state == .stable, group.members.count == clients.count else { return false }
        let wanted = Set(clients.flatMap(\.topics))
        let all = wanted.flatMap { number in
            ConsumerGroup.partitions(UInt64(number), 0..<(partitionCounts[number] ?? 0))
        }
        return Set(all) == Set(clients.flatMap(\.owned)) && clients.allSatisfy { $0.owned == group.target(of: $0.id) }
    }
}
