import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

/// One group whose clients speak the classic protocol, by turns eager and cooperative, or the new one; they come and
/// go, lose answers and send JoinGroups that arrive late, and the group changes its protocol under them.
///
/// Owner: a test. Stands for the coordinator too: it proposes what that would, at any time it might.
final class MigrationModel {
    final class Client {
        enum Phase {
            case out
            /// It got no answer to its JoinGroup. It goes on with what it has, takes nothing, and asks again.
            case asking
            /// Its JoinGroup waits for the next generation of a classic group.
            case joining
            /// It knows its generation and has not got its assignment.
            case syncing
            case member
        }

        let id: String
        let isClassic: Bool
        let isCooperative: Bool
        var phase = Phase.out
        /// Or epoch.
        var generation: Int32 = 0
        /// What it really reads.
        var owned: Set<TopicIDPartition> = []
        /// What it shall have, of which it takes over one step after the other.
        var assigned: Set<TopicIDPartition> = []
        /// The group has given it up, and it does not know.
        var isExpired = false

        init(_ id: String, isClassic: Bool, isCooperative: Bool) {
            self.id = id
            self.isClassic = isClassic
            self.isCooperative = isCooperative
        }

        func startOver() {
            phase = .out
            generation = 0
            owned = []
            assigned = []
            isExpired = false
        }
    }

    static let topic = ConsumerGroup.topic(1, 6)
    private static let topics = SubscribedTopics(version: 1, topics: [topic])
    private static let all = ConsumerGroup.partitions(1, 0..<6)
    var random: RandomSource
    private(set) var table = GroupTable()
    private(set) var clients: [Client] = []
    /// All clients of the group agree in this as long as it lives.
    private let isCooperative: Bool
    private var late: [ClassicJoin] = []
    private var number = 0
    private(set) var conversions = 0
    private(set) var reversions = 0

    init(seed: UInt64) {
        random = RandomSource(seed: seed)
        isCooperative = seed % 2 == 0
    }

    private var group: Group { table["g"] ?? Group() }
    private var consumer: ConsumerGroup? { group.consumer.flatMap { $0.isEmpty ? nil : $0 } }
    private func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    @discardableResult private func apply(_ action: GroupCommand.Action) -> CommandResult {
        let before = group
        let result = table.apply(GroupCommand("g", at: 0, action), isAlive: { _ in true })
        if before.classic != nil, group.consumer?.isEmpty == false { conversions += 1 }
        if before.consumer?.isEmpty == false, group.classic?.members.isEmpty == false { reversions += 1 }
        return result
    }

    // MARK: Clients of the classic protocol

    private func joinRequest(of client: Client) -> ClassicJoin {
        var join = ClassicJoin.sample(client.id)
        // The coordinator vouches for an id only before it was a member.
        let isKnown = group.classic?.members[client.id] != nil || consumer?.members[client.id] != nil
        join.isNew = client.phase == .out && !isKnown
        let owned = client.owned.sorted().map { NamedPartition(topic: Self.topic.name, partition: $0.partition) }
        join.protocols = [.init(name: "p", metadata: .subscription(to: [Self.topic.name], owning: owned))]
        return join
    }

    private func join(_ client: Client) {
        if !client.isCooperative { client.owned = [] }
        let join = joinRequest(of: client)
        // It takes nothing until it is told its next assignment.
        if client.phase != .out { client.phase = .asking }
        if chance(5) {
            // It is on its way for long; the client gives up waiting and asks again.
            late.append(join)
            return
        }
        deliver(join, to: client)
    }

    private func deliver(_ join: ClassicJoin, to client: Client?) {
        let result =
            consumer == nil
            ? apply(.classic(.join(join))) : apply(.consumer(.classicJoin(join, Self.topics)))
        guard let client, !chance(5) else { return }
        switch result {
        case .joinedGroup: client.phase = .joining
        case .consumerGroup(.success(let answer?)):
            client.generation = answer.memberEpoch
            client.phase = .syncing
        default: client.startOver()
        }
    }

    private func sync(_ client: Client) {
        if let consumer {
            guard consumer.members[client.id]?.epoch == client.generation else { return client.startOver() }
            let result = apply(.consumer(.classicSync(memberID: client.id, epoch: client.generation)))
            guard case .consumerGroup(.success) = result, let member = self.consumer?.members[client.id] else {
                return client.startOver()
            }
            return assign(consumer.classicAssignment(of: member), to: client)
        }
        guard let classic = group.classic else { return client.startOver() }
        if let refusal = classic.refusalOfHeartbeat(GroupMemberIdentity(client.id), generation: client.generation) {
            return refusal == .rebalanceInProgress ? join(client) : client.startOver()
        }
        if classic.state == .completingRebalance {
            guard classic.leaderID == client.id else { return }
            apply(.classic(.sync(lead(classic))))
        }
        guard let stable = group.classic, stable.state == .stable, let member = stable.members[client.id] else {
            return
        }
        assign(member.assignment, to: client)
    }

    private func assign(_ bytes: ByteBuffer, to client: Client) {
        guard let assignment = ConsumerAssignment(bytes) else { preconditionFailure("no assignment: \(bytes)") }
        client.assigned = Set(assignment.partitions.map { TopicIDPartition(Self.topic.id, $0.partition) })
        client.phase = .member
    }

    /// Deals the partitions out; among cooperative clients nobody gets what another has not given up.
    private func lead(_ classic: ClassicGroup) -> ClassicSync {
        var holders: [Int32: String] = [:]
        for member in classic.members.values {
            for partition in ConsumerSubscription(member.metadata(for: "p"))?.owned ?? [] {
                holders[partition.partition] = member.memberID
            }
        }
        let ids = classic.members.keys.sorted()
        let assignments = ids.enumerated().map { position, id in
            let own = Self.all.map(\.partition).filter { Int($0) % ids.count == position }
            let free = own.filter { holders[$0] == nil || holders[$0] == id }
            let partitions = free.map { NamedPartition(topic: Self.topic.name, partition: $0) }
            return ClassicSync.Assignment(
                memberID: id, assignment: ConsumerAssignment(partitions).encoded(version: 1))
        }
        return ClassicSync(memberID: classic.leaderID ?? "", generation: classic.generation, assignments: assignments)
    }

    private func heartbeat(_ client: Client) {
        let identity = GroupMemberIdentity(client.id)
        let code: ErrorCode?
        if let consumer {
            code = consumer.refusalOfHeartbeat(identity, generation: client.generation)
        } else {
            code = (group.classic ?? ClassicGroup()).refusalOfHeartbeat(identity, generation: client.generation)
        }
        switch code {
        case nil: break
        case .rebalanceInProgress?: join(client)
        default: client.startOver()
        }
    }

    /// A JoinGroup that waits is answered when the generation is made; if the group has turned to the new protocol
    /// meanwhile, with an error.
    private func awaitGeneration(_ client: Client) {
        guard let classic = group.classic, let member = classic.members[client.id] else { return client.startOver() }
        if classic.state == .preparingRebalance {
            if !member.hasJoined { join(client) }
            return
        }
        client.generation = classic.generation
        client.phase = .syncing
    }

    // MARK: Clients of the new protocol

    private func beat(_ client: Client) {
        var heartbeat = ConsumerGroup.beat(client.id, client.generation, owned: client.owned.sorted())
        if client.generation == 0 {
            if let classic = group.classic, !classic.members.isEmpty { apply(.consumer(.convert(Self.topics))) }
            heartbeat = ConsumerGroup.join(client.id, to: [Self.topic])
            heartbeat.topics = Self.topics
        }
        let result = apply(.consumer(.heartbeat(heartbeat)))
        guard !chance(5) else { return }
        guard case .consumerGroup(.success(let answer?)) = result else { return client.startOver() }
        client.phase = .member
        client.generation = answer.memberEpoch
        if let assignment = answer.assignment { client.assigned = Set(assignment) }
    }

    // MARK: A run

    private func start(isClassic: Bool) {
        number += 1
        clients.append(Client("member-\(number)", isClassic: isClassic, isCooperative: isCooperative))
    }

    private func stop(_ client: Client) {
        clients.removeAll { $0 === client }
        client.owned = []
        remove(client)
    }

    private func remove(_ client: Client) {
        if client.isClassic {
            apply(.classic(.remove(memberIDs: [client.id])))
        } else {
            apply(.consumer(.leave(ConsumerGroupLeave(memberID: client.id, instanceID: nil, isTemporary: false))))
        }
    }

    /// The client gives up first; only when all of that is done it takes.
    private func work(_ client: Client) {
        guard client.phase == .member else { return }
        let surplus = client.owned.subtracting(client.assigned)
        guard surplus.isEmpty else {
            client.owned.remove(surplus.randomElement(using: &random) ?? Self.all[0])
            // A cooperative classic client joins again when it has given up all that it should.
            if client.isClassic, surplus.count == 1 { join(client) }
            return
        }
        client.owned = client.assigned
    }

    private func act(_ client: Client) {
        guard client.isClassic else {
            return chance(50) ? beat(client) : work(client)
        }
        switch client.phase {
        case .out, .asking: join(client)
        case .joining: awaitGeneration(client)
        case .syncing: sync(client)
        case .member: chance(50) ? heartbeat(client) : work(client)
        }
    }

    func step() {
        let client = clients.randomElement(using: &random)
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<4: if clients.count < 5 { start(isClassic: chance(50)) }
        case 4..<7: if let client { stop(client) }
        case 7..<9:
            if let client {
                client.isExpired = true
                remove(client)
            }
        // In a classic group the protocol itself has no answer to a late JoinGroup.
        case 9: if !late.isEmpty, consumer != nil { deliver(late.removeFirst(), to: nil) }
        case 10..<20: coordinate()
        default: if let client { act(client) }
        }
        check()
    }

    private func coordinate() {
        if let consumer, consumer.isClassicOnly { apply(.consumer(.revert)) }
        guard let classic = group.classic, classic.state == .preparingRebalance else { return }
        if classic.isJoinComplete || chance(20) { apply(.classic(.completeJoin(generation: classic.generation))) }
    }

    private func check() {
        var readers: [TopicIDPartition: String] = [:]
        for client in clients where !isGivenUp(client) {
            for partition in client.owned {
                let other = readers.updateValue(client.id, forKey: partition)
                #expect(other == nil, "\(partition) is read by \(client.id) and \(other ?? "")")
            }
        }
    }

    /// Whether the group no longer counts on the client, which finds out later.
    private func isGivenUp(_ client: Client) -> Bool {
        if client.isExpired { return true }
        if let consumer { return consumer.members[client.id] == nil }
        guard let classic = group.classic else { return true }
        return classic.members[client.id] == nil
    }

    /// Everybody behaves from now on: how many rounds does it take until all is assigned and read?
    func roundsToSettle(limit: Int) -> Int? {
        late = []
        for id in (group.classic?.members.keys).map(Array.init) ?? [] where !clients.contains(where: { $0.id == id }) {
            apply(.classic(.remove(memberIDs: [id])))
        }
        let members = consumer.map { Array($0.members.values) } ?? []
        for member in members where !clients.contains(where: { $0.id == member.id }) {
            apply(.consumer(.expire(memberID: member.id, epoch: member.epoch)))
        }
        for round in 0..<limit {
            if isSettled { return round }
            coordinate()
            for client in clients { act(client) }
            check()
        }
        return nil
    }

    private var isSettled: Bool {
        guard !clients.isEmpty else { return true }
        let isMixed = clients.contains { !$0.isClassic }
        let isStable = isMixed ? consumer?.state == .stable : group.classic?.state == .stable
        return isStable && Set(clients.flatMap(\.owned)) == Set(Self.all)
            && clients.allSatisfy { $0.owned == $0.assigned && $0.phase == .member }
    }
}
