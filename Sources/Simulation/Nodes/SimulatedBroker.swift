import Basics
import Broker
import KafkaWire
import Logging
import NIOCore
import Raft
import RaftCore
import SegmentLog

/// One broker process in the simulated world: the production `Broker` on a simulated loop, disk and network. It can
/// crash and start again on what its disk kept.
///
/// Owner: the world.
public final class SimulatedBroker {
    public let id: NodeID
    public let files: SimulatedFileSystem
    public private(set) var broker: Broker?
    /// Why the broker could not start or had to stop; nil while it runs or was merely crashed.
    public private(set) var failure: StorageError?
    private unowned let world: World
    private let random: RandomSource
    private var starts: UInt64 = 0
    private(set) var life = Life()
    private(set) var logs: [SegmentLog] = []
    private var link: BrokerLink?
    /// The ways by which the others have introduced themselves to this life.
    private var introductions: [NodeID: BrokerLink] = [:]
    private var loop: SimulatedLoop?
    /// What is lost when a failed storage ends the process.
    private var lossAtFailure = SimulatedFileSystem.Loss.nothing
    private(set) var writers: [SimulatedExecutor] = []
    private var stalledUntil = Instant.zero
    /// What the last life said of its shards before it ended.
    private var lastReports: [ShardReport] = []
    /// How the next start ends, if the power is to fail in it.
    private var plannedPowerLoss: (calls: Int, loss: SimulatedFileSystem.Loss)?

    init(_ id: NodeID, in world: World, random: RandomSource) {
        self.id = id
        self.world = world
        self.random = random
        files = SimulatedFileSystem(seed: random.seed(for: "disk"))
    }

    public var isRunning: Bool { broker != nil }

    /// Recovers the logs and takes part. Damage makes it stay down, with `failure` set.
    public func start() {
        invariant(broker == nil, "broker \(id) is started once at a time")
        starts += 1
        lossAtFailure = .nothing
        stalledUntil = .zero
        let powerLoss = plannedPowerLoss
        plannedPowerLoss = nil
        if let powerLoss { files.stop(afterCalls: powerLoss.calls) }
        world.tell("broker \(id): start \(starts)")
        life = Life()
        failure = nil
        var disk = random.fork("latency \(starts)")
        let latency = { [unowned world] in world.options.disk.draw(&disk) }
        let loop = SimulatedLoop(world.scheduler, life: life, driftPartsPerMillion: world.drift(of: id))
        self.loop = loop
        let reader = SimulatedExecutor(world.scheduler, life: life, latency: latency)
        // Every second broker has one writer for all of its logs.
        writers = (0..<(id.rawValue.isMultiple(of: 2) ? 1 : world.options.shardCount)).map { _ in
            SimulatedExecutor(world.scheduler, life: life, latency: latency)
        }
        let encoders = (0..<2).map { number in
            SimulatedExecutor(world.scheduler, life: life, latency: { .microseconds(50 + 40 * number) })
        }
        do {
            logs = []
            for shard in 0..<world.options.shardCount {
                var options = SegmentLogOptions(directory: "/shard-\(shard)", shard: ShardID(UInt16(shard)))
                options.segmentBytes = world.options.segmentBytes
                options.preallocate = world.options.preallocate
                logs.append(
                    try SegmentLog.open(
                        options: options, fileSystem: files, eventLoop: loop, writer: writers[shard % writers.count],
                        reader: reader, readHelpers: encoders))
            }
            run(on: loop, encoders)
            if let loss = powerLoss?.loss { losePower(losing: loss) }
        } catch {
            failure = error
            life.end()
            release()
            files.restart(losing: powerLoss?.loss ?? .nothing)
            if powerLoss != nil { failure = nil }
        }
    }

    /// The machine loses power in the middle of the next start, after so many calls of the disk.
    func planPowerLossAtStart(afterCalls calls: Int, losing loss: SimulatedFileSystem.Loss) {
        plannedPowerLoss = (calls, loss)
    }

    private func run(on loop: SimulatedLoop, _ encoders: [SimulatedExecutor]) {
        var configuration = BrokerConfiguration(
            nodeID: id, voters: world.brokerIDs, advertisedHost: "broker-\(id)", advertisedPort: 9092)
        configuration.shardCount = world.options.shardCount
        configuration.compression = world.options.compression
        configuration.tailBytesMax = world.options.tailBytes
        configuration.pendingBytesMax = world.options.pendingBytes
        // Batches are small here; some brokers treat them as others treat large ones.
        if !id.rawValue.isMultiple(of: 3) { configuration.keptPayloadBytesMin = 1 }
        configuration.groups = world.options.groups
        configuration.coldReads = world.options.coldReads
        let link = BrokerLink(id: id, in: world)
        let broker = Broker(
            configuration: configuration, logs: logs.map { SegmentBlockLog($0) }, transport: link, forwarding: link,
            encoderThreads: encoders, eventLoop: loop, wallClock: { [unowned world, id] in world.wallClock(of: id) },
            seed: random.seed(for: "broker \(starts)"), logger: world.logger)
        broker.onStorageFailure = { [weak self] _, error in self?.storageFailed(error) }
        self.link = link
        self.broker = broker
        broker.start()
        link.introduce(Broker.registration(configuration), shardCount: world.options.shardCount)
    }

    /// A process whose storage failed ends, as the server does.
    private func storageFailed(_ error: StorageError) {
        failure = error
        world.tell("broker \(id): storage failed: \(error)")
        let failed = life
        world.scheduler.after(.zero) { [weak self] in
            guard let self, life === failed else { return }
            crash(losing: lossAtFailure)
        }
    }

    /// The machine loses power in the middle of what its disk is doing: after `calls` more calls, or in two seconds.
    public func losePower(afterCalls calls: Int, losing loss: SimulatedFileSystem.Loss) {
        files.stop(afterCalls: calls)
        losePower(losing: loss)
    }

    /// The machine loses power when its disk truncates a file next, or `calls` calls later.
    public func losePowerAtTruncation(afterCalls calls: Int, losing loss: SimulatedFileSystem.Loss) {
        lossAtFailure = loss
        files.stop(atNext: .truncate, calls: calls)
    }

    private func losePower(losing loss: SimulatedFileSystem.Loss) {
        lossAtFailure = loss
        let doomed = life
        world.scheduler.after(.seconds(2)) { [weak self] in
            guard let self, life === doomed else { return }
            crash(losing: loss)
        }
    }

    /// Errors of the disk that were planned and have not happened do not happen.
    func forgetPlannedFailures() { files.forgetPlannedFailures() }

    /// Ends the process at once. What it had not flushed may be lost, as `loss` says.
    public func crash(losing loss: SimulatedFileSystem.Loss) {
        guard isRunning else { return }
        world.tell("broker \(id): crash losing \(loss)")
        lastReports = reports
        life.end()
        world.connectionsLost(of: .broker(id))
        release()
        files.restart(losing: loss)
        files.clearCalls()
        world.onEnd?(id)
    }

    /// A shard's log as a start would find it on `disk`, a copy of this broker's.
    func openCopy(of shard: Int, disk: SimulatedFileSystem) throws(StorageError) -> SegmentLog {
        var options = SegmentLogOptions(directory: "/shard-\(shard)", shard: ShardID(UInt16(shard)))
        options.readOnly = true
        let scheduler = Scheduler()
        let executor = SimulatedExecutor(scheduler, life: life, latency: { .zero })
        return try SegmentLog.open(
            options: options, fileSystem: disk, eventLoop: SimulatedLoop(scheduler, life: life), writer: executor,
            reader: executor)
    }

    /// Ends the process for good and empties its disk.
    func discard() {
        life.end()
        release()
        files.erase()
    }

    /// What it says of its shards, or said last.
    var reports: [ShardReport] { broker?.shardReports ?? lastReports }

    /// Ends the process, if it runs, and gives it an empty disk.
    func replaceDisk() {
        world.tell("broker \(id): the disk is replaced by an empty one")
        crash(losing: .nothing)
        files.erase()
        lastReports = []
        world.onErase?(id)
    }

    /// Lets go of a process that has ended: nobody hears what it says any more.
    private func release() {
        link?.close()
        broker?.shutdown()
        loop?.close()
        loop = nil
        broker = nil
        logs = []
        link = nil
        introductions = [:]
    }

    /// The process does nothing for a while, and then goes on as if nothing had been.
    public func pause(for span: TimeSpan) { life.pause(until: world.scheduler.now + span) }

    /// Its disk does nothing for a while.
    public func stallDisk(for span: TimeSpan) {
        stalledUntil = world.scheduler.now + span
        for writer in writers { writer.stall(until: stalledUntil) }
    }

    /// Whether a pause or a stall still holds it.
    var isHeldUp: Bool { max(life.pausedUntil, stalledUntil) > world.scheduler.now }

    // MARK: What arrives

    func receive(_ frame: PeerFrame, from peer: NodeID, over way: BrokerLink) {
        guard let broker, let link else { return }
        // A connection begins with it, and another is made when one has come to nothing.
        if introductions[peer] !== way, let hello = way.hello {
            introductions[peer] = way
            broker.receive(hello)
        }
        switch frame {
        case .hello(let hello):
            broker.receive(hello)
        case .raft(let message):
            world.onHeard?(message, id, peer)
            broker.receive(message, from: peer)
        case .forward(let id, let request):
            broker.receiveForwarded(request) { [weak link] response in
                link?.send(.forwarded(id: id, response: response), to: peer)
            }
        case .forwarded(let id, let response):
            link.finishForwarded(id, with: response)
        }
    }

    func connectionLost(to peer: NodeID) {
        broker?.peerDisconnected(peer)
        link?.connectionLost(to: peer)
    }
}

/// A simulated broker's way to the others: the production frames, encoded and decoded, over the simulated network.
final class BrokerLink: Transport, RequestForwarding {
    private let id: NodeID
    private unowned let world: World
    fileprivate var hello: PeerHello?
    private var forwarded: [UInt64: (peer: NodeID, completion: (ByteBuffer?) -> Void)] = [:]
    private var lastForwarded: UInt64 = 0
    private var isClosed = false

    init(id: NodeID, in world: World) {
        self.id = id
        self.world = world
    }

    func introduce(_ registration: BrokerRegistration, shardCount: Int) {
        let hello = PeerHello(broker: registration, shardCount: UInt16(shardCount))
        self.hello = hello
        for peer in world.brokerIDs where peer != id { send(.hello(hello), to: peer) }
    }

    func send(_ message: PeerMessage, to peer: NodeID) { send(.raft(message), to: peer) }

    func forward(_ request: ByteBuffer, to peer: NodeID, completion: @escaping (ByteBuffer?) -> Void) {
        lastForwarded += 1
        let number = lastForwarded
        forwarded[number] = (peer, completion)
        send(.forward(id: number, request: request), to: peer)
        world.scheduler.after(.seconds(10), for: world.life(of: id)) { [weak self] in
            self?.finishForwarded(number, with: nil)
        }
    }

    func finishForwarded(_ number: UInt64, with response: ByteBuffer?) {
        forwarded.removeValue(forKey: number)?.completion(response)
    }

    func connectionLost(to peer: NodeID) {
        for (number, waiting) in forwarded.sorted(by: { $0.key < $1.key }) where waiting.peer == peer {
            finishForwarded(number, with: nil)
        }
        if let hello { send(.hello(hello), to: peer) }
    }

    /// The process has ended.
    func close() {
        isClosed = true
        forwarded = [:]
    }

    func send(_ frame: PeerFrame, to peer: NodeID) {
        guard !isClosed else { return }
        if case .raft(let message) = frame { world.onSpoken?(message, id, peer) }
        var bytes = ByteBuffer()
        for part in PeerFrameCodec.encode(frame) { bytes.writeImmutableBuffer(part) }
        bytes.moveReaderIndex(forwardBy: 4)
        let sender = id
        let pieces = Self.divided(bytes)
        let deliver = { [self, unowned world, pieces] in
            do {
                world.broker(peer).receive(try PeerFrameCodec.decode(pieces), from: sender, over: self)
            } catch {
                world.fail("broker \(sender) sent bytes that broker \(peer) cannot read: \(error)")
            }
        }
        world.network.send(from: .broker(id), to: .broker(peer), deliver)
        if case .raft = frame { world.network.sendAgain(from: .broker(id), to: .broker(peer), deliver) }
    }

    /// As if it came in three reads, whose ends lie anywhere in a block.
    private static func divided(_ bytes: ByteBuffer) -> BufferChain {
        let whole = BufferChain(bytes)
        let (first, second) = (whole.byteCount / 3, whole.byteCount * 2 / 3)
        return BufferChain(
            whole.slice(0 ..< first), [whole.slice(first ..< second), whole.slice(second ..< whole.byteCount)])
    }
}
