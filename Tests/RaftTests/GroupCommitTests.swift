import Basics
import Logging
import NIOCore
import NIOEmbedded
import RaftCore
import SegmentLog
import Testing

@testable import Raft

/// How proposals share blocks, and blocks share flushes, on a log that counts both.
@Suite struct GroupCommitTests {
    /// One node, alone in its group, on a simulated disk.
    private final class Fixture {
        let loop = EmbeddedEventLoop()
        let disk = SimulatedFileSystem()
        let writer = ManualExecutor()
        let encoder = ManualExecutor()
        let node: RaftNode<RecordingMachine>

        init(configure: (inout RaftConfiguration) -> Void = { _ in }) throws {
            var options = SegmentLogOptions(directory: "log")
            options.preallocate = false
            let log = try SegmentLog.open(
                options: options, fileSystem: disk, eventLoop: loop, writer: writer, reader: writer)
            var configuration = RaftConfiguration(
                shard: .metadata, core: CoreConfiguration(id: NodeID(1), voters: [NodeID(1)]), seed: 1)
            configure(&configuration)
            node = RaftNode(
                configuration: configuration, machine: RecordingMachine(), log: SegmentBlockLog(log),
                transport: NoTransport(), encoderThreads: [encoder], eventLoop: loop,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
            node.start()
            settle()
            disk.clearCalls()
        }

        func settle() {
            loop.run()
            while writer.runNext() || encoder.runNext() { loop.run() }
        }

        var flushes: Int { disk.calls.count { $0.operation == .flush } }
        /// Entries in each block applied, without those of Raft's own.
        var blocks: [Int] { node.machine.blocks.dropFirst().map { $0 } }
    }

    @Test func `everything proposed in one turn of the loop shares a block and a flush`() throws {
        let fixture = try Fixture()
        let outcomes = (0..<100).map { fixture.node.propose("\($0)") }
        fixture.settle()
        #expect(outcomes.allSatisfy { $0.error == nil && $0.index != nil })
        #expect(fixture.blocks == [100])
        #expect(fixture.flushes == 1)
    }

    @Test func `what is proposed while a flush is under way waits for it and shares the next`() throws {
        let fixture = try Fixture()
        let first = fixture.node.propose("first")
        fixture.loop.run()
        // The block is queued; the disk has not moved.
        #expect(fixture.writer.pending == 1)
        let rest = (0..<50).map { number in
            let outcome = fixture.node.propose("\(number)")
            fixture.loop.run()
            return outcome
        }
        #expect(first.index == nil)
        fixture.settle()
        #expect(rest.allSatisfy { $0.index != nil })
        #expect(fixture.blocks == [1, 50])
        #expect(fixture.flushes == 2)
    }

    @Test func `a full block does not wait for the flush before it`() throws {
        let fixture = try Fixture { $0.compression = .off }
        fixture.node.propose("first")
        fixture.loop.run()
        let half = String(repeating: "x", count: BlockLimits.targetBytes / 2 - 100)
        fixture.node.propose(half)
        fixture.node.propose(half)
        fixture.loop.run()
        #expect(fixture.node.lastIndex == LogIndex(2))
        fixture.node.propose(half)
        fixture.loop.run()
        // Two halves make a block; the rest is less than one, and waits for the flush.
        #expect(fixture.node.lastIndex == LogIndex(4))
        fixture.settle()
        #expect(fixture.blocks == [1, 2, 1])
        // The writer found the first two blocks queued.
        #expect(fixture.flushes == 2)
    }

    @Test func `one large command has a block of its own`() throws {
        let fixture = try Fixture { $0.compression = .off }
        fixture.node.propose("small")
        fixture.node.propose(String(repeating: "x", count: BlockLimits.targetBytes))
        fixture.node.propose("small too")
        fixture.settle()
        #expect(fixture.blocks == [1, 1, 1])
    }

    @Test func `large groups are encoded on their thread, and small ones behind them keep the order`() throws {
        let fixture = try Fixture { $0.inlineEncodingBytesMax = 1_000 }
        var order: [Int] = []
        for number in 0..<6 {
            let text = number.isMultiple(of: 2) ? String(repeating: "\(number)", count: 5_000) : "\(number)"
            fixture.node.propose(head: ByteBuffer(), payload: ByteBuffer(string: text)) { _ in order.append(number) }
            fixture.loop.run()
        }
        #expect(fixture.encoder.pending > 0)
        fixture.settle()
        #expect(order == Array(0..<6))
        #expect(fixture.node.machine.texts.map { $0.prefix(1) } == (0..<6).map { "\($0)" })
    }

    @Test func `commands whose group is being encoded when the node is shut down are answered`() throws {
        let fixture = try Fixture { $0.inlineEncodingBytesMax = 0 }
        let outcome = fixture.node.propose("x")
        fixture.loop.run()
        #expect(fixture.encoder.pending == 1)
        fixture.node.shutdown()
        fixture.settle()
        #expect(outcome.error == .shutdown)
    }

    @Test func `a failed flush answers those who wait and ends the node for good`() throws {
        let fixture = try Fixture()
        var failure: StorageError?
        fixture.node.onStorageFailure = { failure = $0 }
        fixture.disk.failNext(.flush, errno: 5)
        let outcome = fixture.node.propose("x")
        fixture.settle()
        #expect(failure != nil)
        #expect(outcome.error != nil)
        #expect(fixture.node.status.role != .leader)
        #expect(fixture.node.propose("y").error == .storageFailed)
        // Time and messages change nothing any more.
        fixture.loop.advanceTime(by: .seconds(10))
        fixture.settle()
        #expect(fixture.node.status.role != .leader)
        #expect(fixture.node.machine.texts.isEmpty)
    }

    @Test func `a failed write of the hard state ends the node before it votes`() throws {
        let fixture = try Fixture()
        let disk = fixture.disk
        fixture.node.shutdown()
        fixture.settle()
        let loop = EmbeddedEventLoop()
        let writer = ManualExecutor()
        disk.restart(losing: .nothing)
        var options = SegmentLogOptions(directory: "log")
        options.preallocate = false
        let log = try SegmentLog.open(
            options: options, fileSystem: disk, eventLoop: loop, writer: writer, reader: writer)
        let node = RaftNode(
            configuration: RaftConfiguration(
                shard: .metadata, core: CoreConfiguration(id: NodeID(1), voters: [NodeID(1)]), seed: 2),
            machine: RecordingMachine(), log: SegmentBlockLog(log), transport: NoTransport(), encoderThreads: [writer],
            eventLoop: loop, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        for _ in 0..<4 { disk.failNext(.write, errno: 5) }
        node.start()
        loop.run()
        while writer.runNext() { loop.run() }
        #expect(node.storageFailure != nil)
        #expect(node.status.role != .leader)
    }
}

/// A transport for a node that is alone.
final class NoTransport: Transport {
    func send(_ message: PeerMessage, to peer: NodeID) {}
}
