import Basics
import Broker
import Logging
import NIOCore
import RaftCore
import Raft
import SegmentLog

/// A cluster with its clients, network, disks and clocks, all of which follow from one seed.
///
/// Owner: whoever runs it, on one thread.
public final class World {
    public struct DiskOptions: Hashable, Sendable {
        public var latencyMin = TimeSpan.microseconds(50)
        public var latencyMax = TimeSpan.milliseconds(4)
        public init() {}

        func draw(_ random: inout RandomSource) -> TimeSpan {
            let span = UInt64(max(1, latencyMax.nanoseconds - latencyMin.nanoseconds))
            return TimeSpan(nanoseconds: latencyMin.nanoseconds + Int64(random.next() % span))
        }
    }

    public struct Options: Hashable, Sendable {
        public var brokerCount = 3
        public var shardCount = 1
        public var segmentBytes = 256.kibibytes
        public var preallocate = true
        public var tailBytes = 512.kibibytes
        public var pendingBytes = 1.mebibytes
        public var compression = BlockCompression.zstd(level: 1)
        /// Sessions are short, or a world would be over before one is.
        public var groups = GroupConfiguration()
        public var coldReads = ColdReadConfiguration()
        public var network = SimulatedNetwork.Options()
        public var disk = DiskOptions()
        /// Largest drift of a broker's clock.
        public var driftPartsPerMillionMax: Int64 = 500

        public init() {
            groups.initialRebalanceDelay = 300
            groups.sessionTimeouts = 1_000...60_000
            groups.consumerSessionTimeout = GroupPlan.consumerSessionTimeout
            groups.consumerHeartbeatInterval = GroupPlan.heartbeatInterval
        }
    }

    public let seed: UInt64
    public let options: Options
    public let scheduler = Scheduler()
    public let network: SimulatedNetwork
    public private(set) var brokers: [SimulatedBroker] = []
    private(set) var clients: [SimulatedClient] = []
    /// What went wrong first; the world stops there.
    public private(set) var violation: String?
    let random: RandomSource
    let logger: Logger
    private let drifts: [NodeID: Int64]
    /// How far each broker's wall clock is from the world's.
    private var wallClockSkews: [NodeID: Milliseconds] = [:]

    public init(seed: UInt64, options: Options) {
        self.seed = seed
        self.options = options
        random = RandomSource(seed: seed)
        network = SimulatedNetwork(scheduler, options: options.network, random: random.fork("network"))
        logger = Logger(label: "world", factory: { _ in SwiftLogNoOpLogHandler() })
        var drift = random.fork("drift")
        let span = UInt64(2 * options.driftPartsPerMillionMax + 1)
        var drifts: [NodeID: Int64] = [:]
        for number in 1...options.brokerCount {
            drifts[NodeID(Int32(number))] = Int64(drift.next() % span) - options.driftPartsPerMillionMax
        }
        self.drifts = drifts
        brokers = (1...options.brokerCount).map { number in
            SimulatedBroker(NodeID(Int32(number)), in: self, random: random.fork("broker \(number)"))
        }
        network.life = { [unowned self] endpoint in
            if case .broker(let id) = endpoint { return life(of: id) }
            return nil
        }
        network.onReset = { [unowned self] a, b in connectionReset(a, b) }
    }

    /// Both ends learn of it a little later, each when it is awake.
    private func connectionReset(_ a: Endpoint, _ b: Endpoint) {
        switch (a, b) {
        case (.broker(let one), .broker(let other)):
            for (id, peer) in [(one, other), (other, one)] {
                scheduler.after(network.nextDelay(), for: life(of: id)) { [unowned self] in
                    broker(id).connectionLost(to: peer)
                }
            }
        case (.client(let number), .broker(let id)), (.broker(let id), .client(let number)):
            clients[number].connectionReset(to: id)
        case (.client, .client): break
        }
    }

    /// Another client process on the network.
    func makeClient() -> SimulatedClient {
        let client = SimulatedClient(clients.count, in: self)
        clients.append(client)
        return client
    }

    public var brokerIDs: [NodeID] { brokers.map(\.id) }

    public func broker(_ id: NodeID) -> SimulatedBroker { brokers[Int(id.rawValue) - 1] }

    func life(of id: NodeID) -> Life { broker(id).life }

    /// The newest term in which anybody leads anything. A leader of an older one may have been deposed without knowing.
    var newestTerm: Int32 {
        let leading = brokers.flatMap(\.reports).filter { $0.status.role == .leader }
        return Int32(truncatingIfNeeded: leading.map(\.status.term.rawValue).max() ?? 0)
    }

    func drift(of id: NodeID) -> Int64 { drifts[id] ?? 0 }

    /// A date in 2026, moving with the world.
    func wallClock(of id: NodeID) -> Milliseconds { wallClock + (wallClockSkews[id] ?? 0) }

    /// The world's own wall clock, which its clients have.
    var wallClock: Milliseconds { 1_767_225_600_000 + scheduler.now.nanoseconds / 1_000_000 }

    /// Sets a broker's wall clock this far from the world's, forward or back.
    public func setWallClock(of id: NodeID, ahead span: Milliseconds) { wallClockSkews[id] = span }

    /// A process is gone: everybody connected to it is told, as TCP would.
    func connectionsLost(of endpoint: Endpoint) {
        for other in brokerIDs where Endpoint.broker(other) != endpoint { network.reset(endpoint, .broker(other)) }
        for client in clients { network.reset(endpoint, .client(client.number)) }
    }

    /// Records what must never happen. The first one counts.
    public func fail(_ what: String) {
        if violation == nil { violation = "at \(scheduler.now): \(what)" }
    }

    /// Whether nothing acknowledged may be lost in this world. Otherwise only answers that cannot be are violations.
    var keepsPromises = true

    /// Whose disk does not hold what it should.
    var rottenDisk: NodeID?

    /// Records what is a violation unless records may be lost.
    func failPromise(_ what: String) {
        if keepsPromises { fail(what) }
    }

    /// A broker's process has ended, by crash or by its storage.
    var onEnd: ((NodeID) -> Void)?

    /// A shard has a new leader.
    var onElection: (() -> Void)?

    /// A broker says something to another one; it may never arrive.
    var onSpoken: ((_ message: PeerMessage, _ sender: NodeID, _ peer: NodeID) -> Void)?

    /// What a broker said arrived.
    var onHeard: ((_ message: PeerMessage, _ receiver: NodeID, _ sender: NodeID) -> Void)?

    /// A broker's disk was replaced by an empty one.
    var onErase: ((NodeID) -> Void)?

    /// Tells whoever listens what happens, for reading along.
    public var onEvent: ((_ what: String) -> Void)?

    func tell(_ what: @autoclosure () -> String) {
        if let onEvent { onEvent("\(scheduler.now) \(what())") }
    }

    /// Lets go of everything that was still to happen; the world is not used afterwards.
    public func end() {
        for broker in brokers { broker.discard() }
        scheduler.clear()
    }

    /// Runs for this much simulated time, or until something is violated.
    public func run(for span: TimeSpan) {
        scheduler.run(until: scheduler.now + span, unless: { violation != nil })
    }
}
