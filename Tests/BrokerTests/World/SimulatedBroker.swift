import Basics
import KafkaWire
import Logging
import NIOCore
import Raft

@testable import Broker
@testable import SegmentLog

/// One machine of a world: its disk outlives its process, which is a `Broker` with its loop and its threads.
///
/// Owner: its `World`.
final class SimulatedBroker {
    /// A running process.
    struct Process {
        let loop: SimulatedEventLoop
        let writers: [SimulatedThread]
        let reader: SimulatedThread
        let encoder: SimulatedThread
        let peers: SimulatedPeers
        let broker: Broker
    }

    static let segmentBytes = 1.mebibytes

    let id: NodeID
    let disk: SimulatedFileSystem
    let configuration: BrokerConfiguration
    private unowned let world: World
    private(set) var process: Process?
    private var starts: UInt64 = 0
    private(set) var storageFailure: StorageError?
    /// Whether the world has cut it off from all others.
    var isCutOff = false

    init(_ configuration: BrokerConfiguration, in world: World, seed: UInt64) {
        id = configuration.nodeID
        self.configuration = configuration
        self.world = world
        disk = SimulatedFileSystem(seed: seed)
    }

    /// The broker, which a test may ask anything on its loop: see `read`.
    var broker: Broker {
        guard let process else { preconditionFailure("broker \(id) is down") }
        return process.broker
    }

    var isUp: Bool { process != nil }

    /// Runs `body` on the broker's loop.
    func read<Value>(_ body: (Broker) throws -> Value) rethrows -> Value {
        guard let process else { preconditionFailure("broker \(id) is down") }
        return try process.loop.perform { try body(process.broker) }
    }

    func start() throws {
        starts += 1
        let scheduler = world.scheduler
        let loop = SimulatedEventLoop(scheduler)
        let writers = (0..<configuration.shardCount).map { _ in
            SimulatedThread(scheduler, latency: .microseconds(200))
        }
        let reader = SimulatedThread(scheduler, latency: .microseconds(100))
        let encoder = SimulatedThread(scheduler, latency: .microseconds(50))
        let peers = SimulatedPeers(id) { [unowned world, id] frame, peer in world.carry(frame, from: id, to: peer) }
        let broker = try loop.perform {
            let logs = try writers.enumerated().map { shard, writer in
                var options = SegmentLogOptions(directory: "shard-\(shard)", shard: ShardID(UInt16(shard)))
                options.segmentBytes = Self.segmentBytes
                options.preallocate = false
                return SegmentBlockLog(
                    try SegmentLog.open(
                        options: options, fileSystem: disk, eventLoop: loop, writer: writer, reader: reader))
            }
            let broker = Broker(
                configuration: configuration, logs: logs, transport: peers, forwarding: peers,
                encoderThreads: [encoder], eventLoop: loop, wallClock: { [unowned world] in world.wallClock },
                seed: RandomSource(seed: world.seed).seed(for: "broker \(id), start \(starts)"), logger: world.logger)
            broker.onStorageFailure = { [unowned self] _, error in storageFailure = error }
            peers.broker = broker
            broker.start()
            return broker
        }
        process = Process(
            loop: loop, writers: writers, reader: reader, encoder: encoder, peers: peers, broker: broker)
    }

    /// Ends the process at once. What it had not flushed may be lost, as `loss` says.
    func kill(losing loss: SimulatedFileSystem.Loss) {
        guard let process else { return }
        process.loop.stop()
        for thread in process.writers + [process.reader, process.encoder] { thread.stop() }
        self.process = nil
        disk.restart(losing: loss)
    }

    /// The disk of one shard takes no writes for a while, or goes on.
    func setWriterStalled(_ isStalled: Bool, shard: Int = 0) { process?.writers[shard].isStalled = isStalled }

    /// Nothing is read from disk for a while, or reading goes on.
    func setReaderStalled(_ isStalled: Bool) { process?.reader.isStalled = isStalled }

    /// How many reads from disk are still to be done.
    var waitingReads: Int { process?.reader.jobCount ?? 0 }

    /// A segment of shard 0 as it stands on the disk; nil if there is none.
    func segment(_ base: LogIndex) -> [UInt8]? { disk.content("shard-0/\(LogLayout.segmentName(base))") }

    /// The offsets file of a segment of shard 0; nil if there is none.
    func offsetsFile(_ base: LogIndex) -> [UInt8]? { disk.content("shard-0/\(LogLayout.offsetsName(base))") }

    /// Changes the offsets file of a segment of shard 0 on the disk, behind everybody's back.
    func alterOffsetsFile(_ base: LogIndex, _ change: @Sendable (inout [UInt8]) -> Void) {
        disk.alter("shard-0/\(LogLayout.offsetsName(base))", change)
    }

    /// Changes the first segment of shard 0 on the disk, behind everybody's back.
    func alterSegment(_ change: @Sendable (inout [UInt8]) -> Void) {
        disk.alter("shard-0/\(LogLayout.segmentName(LogIndex(1)))", change)
    }
}
