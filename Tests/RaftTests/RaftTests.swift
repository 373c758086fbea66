import Basics
import Logging
import NIOCore
import NIOEmbedded
import RaftCore
import SegmentLog
import Testing

@testable import Raft

/// The door for callers on other tasks: everything here hops to the loop and back.
@Suite struct RaftTests {
    /// Runs each job at once, on whoever submits it: the loop.
    private struct InlineExecutor: StorageExecutor {
        func submit(_ job: @escaping @Sendable () -> Void) { job() }
    }

    /// Nodes that share one loop and a network in memory.
    private struct Cluster {
        let loop = NIOAsyncTestingEventLoop()
        let network = InMemoryNetwork()
        var nodes: [NodeID: Raft<RecordingMachine>] = [:]

        init(_ count: Int) async throws {
            let ids = (1...Int32(count)).map { NodeID($0) }
            for id in ids { nodes[id] = try await start(id, of: ids) }
        }

        private func start(_ id: NodeID, of ids: [NodeID]) async throws -> Raft<RecordingMachine> {
            let configuration = RaftConfiguration(
                shard: .metadata, core: CoreConfiguration(id: id, voters: ids), seed: UInt64(id.rawValue))
            let raft = try await Raft<RecordingMachine>.start(
                configuration, on: loop, encoderThreads: [InlineExecutor()],
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            ) { [loop, network] in
                let log = try LogStoreBlockLog(
                    store: InMemoryLogStore(), stable: InMemoryStableStore(), eventLoop: loop,
                    executor: InlineExecutor())
                return (RecordingMachine(), log, InMemoryTransport(id, on: network))
            }
            network.attach(id) { message, sender in raft.receive(message, from: sender) }
            return raft
        }

        /// Lets time pass until one of the nodes serves.
        func leader(besides old: NodeID? = nil) async throws -> (id: NodeID, raft: Raft<RecordingMachine>) {
            for _ in 0..<200 {
                for (id, raft) in nodes where id != old {
                    if await raft.read({ $0.isServing }) { return (id, raft) }
                }
                await loop.advanceTime(by: .milliseconds(20))
            }
            throw NoLeader()
        }

        struct NoLeader: Error {}
    }

    @Test func `a command that is applied tells its index and the state machine's answer`() async throws {
        let cluster = try await Cluster(1)
        let raft = try await cluster.leader().raft
        let first = try await raft.apply(ByteBuffer(string: "a")).value
        let second = try await raft.apply(ByteBuffer(string: "b")).value
        #expect(first.response == 0)
        #expect(second.response == 1)
        #expect(second.index == first.index.next)
        #expect(await raft.read { $0.machine.texts } == ["a", "b"])
    }

    @Test func `any number of tasks may await one future, before and after it is resolved`() async throws {
        let cluster = try await Cluster(1)
        let raft = try await cluster.leader().raft
        let future = raft.apply(ByteBuffer(string: "a"))
        let indices = try await withThrowingTaskGroup(of: LogIndex.self) { group in
            for _ in 0..<20 { group.addTask { try await future.value.index } }
            return try await group.reduce(into: Set<LogIndex>()) { $0.insert($1) }
        }
        #expect(indices.count == 1)
        #expect(try await future.value.index == indices.first)
    }

    @Test func `a barrier comes after what was applied before it`() async throws {
        let cluster = try await Cluster(1)
        let raft = try await cluster.leader().raft
        let futures = (0..<10).map { raft.apply(ByteBuffer(string: "\($0)")) }
        let barrier = try await raft.barrier().value
        for future in futures { #expect(try await future.value.index < barrier.index) }
        #expect(await raft.read { $0.machine.applied.count } == 10)
    }

    @Test func `three nodes on one loop elect a leader, replicate and go on without it`() async throws {
        let cluster = try await Cluster(3)
        let leader = try await cluster.leader()
        #expect(await leader.raft.status.leader == leader.id)
        let applied = leader.raft.apply(ByteBuffer(string: "a"))
        await cluster.loop.advanceTime(by: .milliseconds(200))
        #expect(try await applied.value.response == 0)
        for raft in cluster.nodes.values { #expect(await raft.read { $0.machine.texts } == ["a"]) }
        cluster.network.setConnected(leader.id, false)
        let successor = try await cluster.leader(besides: leader.id)
        let second = successor.raft.apply(ByteBuffer(string: "b"))
        await cluster.loop.advanceTime(by: .milliseconds(200))
        #expect(try await second.value.response == 1)
        cluster.network.setConnected(leader.id, true)
        await cluster.loop.advanceTime(by: .seconds(2))
        #expect(await leader.raft.read { $0.machine.texts } == ["a", "b"])
    }

    @Test func `a follower's errors reach the task that asked`() async throws {
        let cluster = try await Cluster(3)
        let leader = try await cluster.leader()
        await cluster.loop.advanceTime(by: .milliseconds(200))
        let follower = try #require(cluster.nodes.first { $0.key != leader.id }?.value)
        await #expect(throws: RaftError.notLeader(leader: leader.id)) { try await follower.apply(ByteBuffer()).value }
        await #expect(throws: RaftError.notLeader(leader: leader.id)) { try await follower.verifyLeader() }
    }

    @Test func `a leader alone verifies itself`() async throws {
        let cluster = try await Cluster(1)
        try await cluster.leader().raft.verifyLeader()
    }

    @Test func `a shutdown fails what waits and what comes later`() async throws {
        let cluster = try await Cluster(3)
        let leader = try await cluster.leader()
        cluster.network.setConnected(leader.id, false)
        let waiting = leader.raft.apply(ByteBuffer(string: "a"))
        let verification = Task { try await leader.raft.verifyLeader() }
        await leader.raft.shutdown()
        await #expect(throws: RaftError.shutdown) { try await waiting.value }
        await #expect(throws: RaftError.shutdown) { try await verification.value }
        await #expect(throws: RaftError.shutdown) { try await leader.raft.apply(ByteBuffer()).value }
        await #expect(throws: RaftError.shutdown) { try await leader.raft.barrier().value }
    }

    @Test func `what cannot be assembled is thrown to whoever starts it`() async throws {
        struct Refused: Error {}
        let loop = NIOAsyncTestingEventLoop()
        let configuration = RaftConfiguration(
            shard: .metadata, core: CoreConfiguration(id: NodeID(1), voters: [NodeID(1)]), seed: 1)
        await #expect(throws: Refused.self) {
            _ = try await Raft<RecordingMachine>.start(
                configuration, on: loop, encoderThreads: [InlineExecutor()], logger: Logger(label: "test")
            ) { throw Refused() }
        }
    }
}
