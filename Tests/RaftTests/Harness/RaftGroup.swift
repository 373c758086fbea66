import Basics
import Logging
import NIOCore
import NIOEmbedded
import RaftCore
import SegmentLog

@testable import Raft

/// Nodes of one Raft group on one embedded loop, with stores in memory and a network that a test may cut.
///
/// Owner: a test. Time passes in `run` alone, a millisecond at a time.
final class RaftGroup<Machine: FSM> {
    /// What outlives a node: its disk.
    final class Disk {
        let store: any LogStore
        let stable: any StableStore
        let executor = ManualExecutor()
        /// While true nothing is written.
        var isStalled = false

        init(store: any LogStore = InMemoryLogStore(), stable: any StableStore = InMemoryStableStore()) {
            self.store = store
            self.stable = stable
        }
    }

    private final class Wire: Transport {
        let from: NodeID
        unowned let group: RaftGroup
        init(_ from: NodeID, _ group: RaftGroup) {
            self.from = from
            self.group = group
        }

        func send(_ message: PeerMessage, to peer: NodeID) { group.carry(message, from: from, to: peer) }
    }

    let loop = EmbeddedEventLoop()
    let ids: [NodeID]
    private(set) var disks: [NodeID: Disk] = [:]
    private(set) var nodes: [NodeID: RaftNode<Machine>] = [:]
    private var cutOff: Set<NodeID> = []
    private let encoder = ManualExecutor()
    private let makeMachine: () -> Machine
    private let configure: (inout RaftConfiguration) -> Void
    private var starts: UInt64 = 0

    init(
        _ count: Int, machine: @escaping @autoclosure () -> Machine, disk: () -> Disk = { Disk() },
        configure: @escaping (inout RaftConfiguration) -> Void = { _ in }
    ) throws {
        ids = (1...Int32(count)).map { NodeID($0) }
        makeMachine = machine
        self.configure = configure
        for id in ids { disks[id] = disk() }
        for id in ids { try start(id) }
    }

    func node(_ id: NodeID) -> RaftNode<Machine> {
        guard let node = nodes[id] else { preconditionFailure("node \(id) is down") }
        return node
    }

    /// Starts a node on its disk.
    func start(_ id: NodeID) throws {
        guard let disk = disks[id] else { preconditionFailure("no node \(id)") }
        starts += 1
        var configuration = RaftConfiguration(
            shard: .metadata, core: CoreConfiguration(id: id, voters: ids), seed: starts)
        configure(&configuration)
        let log = try LogStoreBlockLog(
            store: disk.store, stable: disk.stable, eventLoop: loop, executor: disk.executor)
        let node = RaftNode(
            configuration: configuration, machine: makeMachine(), log: log, transport: Wire(id, self),
            encoderThreads: [encoder], eventLoop: loop,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        nodes[id] = node
        node.start()
    }

    /// Ends a node without a word; its disk stays.
    func stop(_ id: NodeID) {
        node(id).shutdown()
        nodes[id] = nil
    }

    func setConnected(_ id: NodeID, _ isConnected: Bool) {
        if isConnected { cutOff.remove(id) } else { cutOff.insert(id) }
    }

    private func carry(_ message: PeerMessage, from sender: NodeID, to receiver: NodeID) {
        guard !cutOff.contains(sender), !cutOff.contains(receiver) else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        loop.scheduleTask(in: .microseconds(200)) { bound.value.nodes[receiver]?.receive(message, from: sender) }
    }

    // MARK: Time

    /// Does what can be done without time passing: disks and encoder, then the loop, until all is quiet.
    func settle() {
        loop.run()
        var isBusy = true
        while isBusy {
            isBusy = encoder.runNext()
            for (_, disk) in disks.sorted(by: { $0.key < $1.key }) where !disk.isStalled {
                if disk.executor.runNext() { isBusy = true }
            }
            loop.run()
        }
    }

    func run(_ milliseconds: Int) {
        for _ in 0..<milliseconds {
            settle()
            loop.advanceTime(by: .milliseconds(1))
        }
        settle()
    }

    /// Lets time pass until `condition` holds; false when it does not within five seconds.
    func run(until condition: () -> Bool) -> Bool {
        for _ in 0..<5_000 {
            if condition() { return true }
            run(1)
        }
        return condition()
    }

    // MARK: Leaders

    var leader: RaftNode<Machine>? {
        ids.compactMap { nodes[$0] }.filter(\.isServing).max { $0.status.term < $1.status.term }
    }

    /// The node that serves, when there is one.
    func electedLeader(besides old: RaftNode<Machine>? = nil) throws -> RaftNode<Machine> {
        guard run(until: { leader.map { $0 !== old } ?? false }), let leader else { throw NoLeader() }
        return leader
    }

    struct NoLeader: Error {}
}

extension RaftNode {
    var id: NodeID { configuration.core.id }

    /// Proposes a text, and gives what came of it when it is known.
    @discardableResult
    func propose(_ text: String, head: String = "") -> Outcome<Machine.Response> {
        let outcome = Outcome<Machine.Response>()
        propose(head: ByteBuffer(string: head), payload: ByteBuffer(string: text), to: outcome)
        return outcome
    }

    func propose(head: ByteBuffer = ByteBuffer(), payload: ByteBuffer, to outcome: Outcome<Machine.Response>) {
        propose(head: head, payload: payload) { [unowned self] result in
            outcome.result = result.map { Applied(index: $0, response: self.response(at: $0)) }
        }
    }
}

/// What came of a proposal.
final class Outcome<Response: Sendable> {
    var result: Result<Applied<Response>, RaftError>?

    var index: LogIndex? { try? result?.get().index }
    var response: Response? { try? result?.get().response }
    var error: RaftError? {
        guard case .failure(let error) = result else { return nil }
        return error
    }
}
