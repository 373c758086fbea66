import Basics
import KafkaWire
import NIOCore
import Raft

@testable import Broker

/// A shard's groups with their coordinator, members who behave as clients do, and a log in which commands wait until
/// they are applied. Everything follows from the seed.
///
/// Owner: a test.
final class GroupWorld {
    private struct Proposal {
        let command: GroupCommand
        let completion: GroupCoordinator.Completion?
    }

    static let group = "g"

    let configuration: GroupConfiguration
    var random: RandomSource
    private(set) var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private(set) var table = GroupTable()
    private var log: [Proposal] = []
    /// Nil while nobody leads.
    private(set) var coordinator: GroupCoordinator?
    private(set) var members: [GroupClient] = []
    /// The longest time a command may wait in the log, in steps.
    var delayMax = 2

    init(seed: UInt64, _ configuration: GroupConfiguration = GroupConfiguration()) {
        self.configuration = configuration
        random = RandomSource(seed: seed)
        takeOffice()
    }

    var classic: ClassicGroup? { table[Self.group]?.classic }

    // MARK: Leaders

    /// The leader is gone. Of what it proposed a part survives it, from the beginning on, which it cannot know.
    func loseLeader() {
        let surviving = log.isEmpty ? 0 : Int.random(in: 0...log.count, using: &random)
        let lost = log
        log = []
        let former = coordinator
        coordinator = nil
        for proposal in lost { proposal.completion?(.failure(.leadershipLost)) }
        former?.resign()
        log = lost.prefix(surviving).map { Proposal(command: $0.command, completion: nil) }
    }

    /// A new leader has applied what survived.
    func takeOffice() {
        applyAll()
        let surroundings = GroupCoordinator.Surroundings(
            group: { [unowned self] in table[$0] },
            groupIDs: { [unowned self] in table.groups.keys.sorted() },
            propose: { [unowned self] in log.append(Proposal(command: $0, completion: $1)) },
            now: { [unowned self] in now },
            wallClock: { [unowned self] in Milliseconds(now.uptimeNanoseconds / 1_000_000) },
            metadata: { ClusterMetadata() }, knowsAllTopics: { true })
        coordinator = GroupCoordinator(configuration, surroundings, seed: random.next())
    }

    // MARK: Time

    static let step = TimeAmount.milliseconds(50)

    /// One turn: some of the log is applied, timers fire, members act.
    func step() {
        now = now + Self.step
        if !log.isEmpty { apply(Int.random(in: (delayMax == 0 ? log.count : 0)...log.count, using: &random)) }
        coordinator?.tick()
        for member in members { member.act() }
    }

    func run(for time: TimeAmount) {
        let end = now + time
        while now < end { step() }
    }

    /// The first entries of the log, as one block: the completions come after all of them are applied.
    private func apply(_ count: Int) {
        let block = log.prefix(count)
        log.removeFirst(count)
        let results = block.map { table.apply($0.command, isAlive: { _ in true }) }
        for (proposal, result) in zip(block, results) { proposal.completion?(.success(result)) }
        for groupID in table.takeTouched() { coordinator?.observe(groupID) }
    }

    func applyAll() {
        while !log.isEmpty { apply(log.count) }
    }

    // MARK: Members

    func addMember(_ name: String, instanceID: String? = nil, requiresMemberID: Bool = true) -> GroupClient {
        let member = GroupClient(name, instanceID: instanceID, requiresMemberID: requiresMemberID, in: self)
        members.append(member)
        return member
    }

    func remove(_ member: GroupClient) { members.removeAll { $0 === member } }
}

/// A consumer as client libraries implement them: joins, syncs, assigns if it leads, sends heartbeats, and begins anew
/// when it is told to.
///
/// Owner: a `GroupWorld`.
final class GroupClient {
    enum State: Equatable {
        /// To join at a certain time.
        case outside(NIODeadline)
        case joining(since: NIODeadline)
        case syncing(since: NIODeadline)
        case member(nextHeartbeat: NIODeadline)
    }

    static let partitionCount = 12
    static let sessionTimeout: Int32 = 10_000
    static let rebalanceTimeout: Int32 = 15_000

    let name: String
    let instanceID: String?
    private let requiresMemberID: Bool
    private unowned let world: GroupWorld
    private(set) var memberID = ""
    private(set) var generation: Int32 = -1
    private(set) var state: State
    private(set) var partitions: Set<Int> = []
    /// What it says of itself; a change of it makes the group rebalance.
    private var metadata = 0
    /// Answers to requests sent before this was last counted up are for a connection that is closed.
    private var connection = 0

    init(_ name: String, instanceID: String?, requiresMemberID: Bool, in world: GroupWorld) {
        self.name = name
        self.instanceID = instanceID
        self.requiresMemberID = requiresMemberID
        self.world = world
        state = .outside(world.now)
    }

    var isMember: Bool {
        if case .member = state { return true }
        return false
    }

    private var identity: GroupMemberIdentity { GroupMemberIdentity(memberID, instanceID: instanceID) }

    /// Takes its turn.
    func act() {
        switch state {
        case .outside(let time) where time <= world.now: join()
        // Clients give up waiting a little after the time that they allow the rebalance.
        case .joining(let since) where since + .milliseconds(Int64(Self.rebalanceTimeout) + 5_000) < world.now: join()
        case .syncing(let since) where since + .milliseconds(Int64(Self.rebalanceTimeout) + 5_000) < world.now: join()
        case .member(let time) where time <= world.now: heartbeat()
        default: break
        }
    }

    /// Its connection breaks: it hears nothing of what is under way, and begins anew.
    func loseConnection() {
        connection += 1
        if !isMember { retry() }
    }

    /// It ends without a word.
    func crash() {
        connection += 1
        world.remove(self)
    }

    /// It ends as it should.
    func leave() {
        world.coordinator?.leave([identity], GroupWorld.group) { _ in }
        crash()
    }

    func changeSubscription() {
        metadata += 1
        join()
    }

    private func retry() {
        state = .outside(world.now + .milliseconds(100))
        partitions = []
    }

    private func join() {
        partitions = []
        guard let coordinator = world.coordinator else { return retry() }
        state = .joining(since: world.now)
        let current = connection
        var join = ClassicJoin.sample(
            memberID, instanceID: instanceID, metadata: "\(metadata)", sizeMax: world.configuration.sizeMax,
            sessionTimeout: Self.sessionTimeout, rebalanceTimeout: Self.rebalanceTimeout)
        join.isNew = false
        let waiting = WaitingJoin(
            maySkipAssignment: true, isWanted: { [weak self] in self?.connection == current },
            answer: { [weak self] answer in
                if self?.connection == current { self?.joined(answer) }
            })
        coordinator.join(join, GroupWorld.group, requiresMemberID: requiresMemberID, waiting)
    }

    private func joined(_ answer: JoinAnswer) {
        switch answer {
        case .led: preconditionFailure("a group that has no members of the new protocol has a leader")
        case .refused(.memberIDRequired, let memberID):
            self.memberID = memberID
            state = .outside(world.now)
        case .refused(let code, _):
            handle(code)
        case .joined(let group, let memberID, let leaderID, let skipsAssignment):
            self.memberID = memberID
            generation = group.generation
            sync(group, leads: leaderID == memberID && !skipsAssignment)
        }
    }

    private func sync(_ group: ClassicGroup, leads: Bool) {
        guard let coordinator = world.coordinator else { return retry() }
        state = .syncing(since: world.now)
        let current = connection
        let assignments = leads ? Self.assignments(group) : []
        let waiting = WaitingSync(generation: generation, assignments: assignments) { [weak self] answer in
            if self?.connection == current { self?.synced(answer) }
        }
        coordinator.sync(
            identity, GroupWorld.group, protocolType: "consumer", protocolName: group.protocolName, waiting)
    }

    /// Partitions in turn, over the members in their order.
    private static func assignments(_ group: ClassicGroup) -> [ClassicSync.Assignment] {
        let members = group.sortedMembers
        return members.enumerated().map { position, member in
            let own = stride(from: position, to: partitionCount, by: members.count).map { UInt8($0) }
            return ClassicSync.Assignment(memberID: member.memberID, assignment: ByteBuffer(bytes: own))
        }
    }

    private func synced(_ answer: SyncAnswer) {
        switch answer {
        case .refused(let code):
            handle(code)
        case .assigned(let assignment, _, _):
            partitions = Set(assignment.readableBytesView.map(Int.init))
            state = .member(nextHeartbeat: world.now + .seconds(3))
        }
    }

    private func heartbeat() {
        state = .member(nextHeartbeat: world.now + .seconds(3))
        guard let coordinator = world.coordinator else { return }
        let code = coordinator.heartbeat(identity, GroupWorld.group, generation: generation)
        if code != .none { handle(code) }
    }

    private func handle(_ code: ErrorCode) {
        switch code {
        case .rebalanceInProgress: state = .outside(world.now)
        case .unknownMemberID, .fencedInstanceID:
            memberID = ""
            retry()
        default: retry()
        }
        if !isMember { partitions = [] }
    }
}
