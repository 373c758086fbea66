import Basics
import KafkaWire
import Logging
import NIOCore
import Raft
import SegmentLog

@testable import Broker

/// A cluster in one thread: whole brokers on simulated disks, joined by a simulated network, in a time that passes only
/// when a test lets it. The same seed and the same calls give the same run.
final class World {
    /// What a test waited for did not happen.
    struct Timeout: Error, CustomStringConvertible {
        let description: String
    }

    let seed: UInt64
    let scheduler = Scheduler()
    let network: SimulatedNetwork
    let logger: Logger
    private(set) var brokers: [SimulatedBroker] = []
    /// Milliseconds since 1970 when the world began.
    private static let epoch: Milliseconds = 1_800_000_000_000
    private let began: NIODeadline

    /// Brokers 1 to `count`, none of them started.
    init(brokers count: Int = 1, seed: UInt64 = 1, configure: (inout BrokerConfiguration) -> Void = { _ in }) {
        self.seed = seed
        let random = RandomSource(seed: seed)
        network = SimulatedNetwork(scheduler, seed: random.seed(for: "network"))
        var logger = Logger(label: "world", factory: { _ in SwiftLogNoOpLogHandler() })
        logger.logLevel = .critical
        self.logger = logger
        began = scheduler.now
        let ids = (1...Int32(count)).map { NodeID($0) }
        brokers = ids.map { id in
            var configuration = BrokerConfiguration(
                nodeID: id, voters: ids, advertisedHost: "broker-\(id)", advertisedPort: 9_000 + id.rawValue)
            configure(&configuration)
            return SimulatedBroker(configuration, in: self, seed: random.seed(for: "disk \(id)"))
        }
    }

    deinit { scheduler.clear() }

    /// A world whose brokers are started and have elected their leaders.
    static func ready(
        brokers count: Int = 1, seed: UInt64 = 1, configure: (inout BrokerConfiguration) -> Void = { _ in }
    ) throws -> World {
        let world = World(brokers: count, seed: seed, configure: configure)
        for broker in world.brokers { try world.start(broker) }
        try world.runUntilReady()
        return world
    }

    var wallClock: Milliseconds { Self.epoch + (scheduler.now - began).nanoseconds / 1_000_000 }

    func broker(_ id: NodeID) -> SimulatedBroker {
        guard let broker = brokers.first(where: { $0.id == id }) else { preconditionFailure("no broker \(id)") }
        return broker
    }

    // MARK: Time

    func run(for time: TimeAmount) {
        let end = scheduler.now + time
        while scheduler.step(before: end) {}
    }

    /// Lets time pass until `condition` holds.
    func run(
        until what: String, within limit: TimeAmount = .seconds(30), _ condition: () throws -> Bool
    ) throws {
        let end = scheduler.now + limit
        while try !condition() {
            guard scheduler.step(before: end) else { throw Timeout(description: "not within \(limit): \(what)") }
        }
    }

    /// Until every shard has a leader that serves, and every broker that is up knows all brokers and those leaders.
    func runUntilReady() throws {
        try run(until: "ready") { isReady }
    }

    private var isReady: Bool {
        let up = brokers.filter(\.isUp)
        return up[0].configuration.shardCount > 0
            && (0..<up[0].configuration.shardCount).allSatisfy { shard in
                guard let leader = leader(ofShard: shard) else { return false }
                return up.allSatisfy { $0.broker.shards[shard].leader == leader.id }
            }
            && up.allSatisfy {
                $0.broker.metadata.brokers.count == brokers.count && $0.broker.metadata.clusterID != nil
            }
    }

    // MARK: Leaders

    /// The broker that serves a shard: of several that believe so, the one of the newest term.
    func leader(ofShard shard: Int = 0) -> SimulatedBroker? {
        brokers.filter { $0.isUp && $0.broker.shards[shard].isServing }
            .max { $0.broker.shards[shard].leaderEpoch < $1.broker.shards[shard].leaderEpoch }
    }

    /// Runs until another broker than `old` leads.
    func runUntilNewLeader(ofShard shard: Int = 0, after old: SimulatedBroker) throws -> SimulatedBroker {
        try run(until: "a leader after \(old.id)") { leader(ofShard: shard).map { $0 !== old } ?? false }
        guard let leader = leader(ofShard: shard) else { throw Timeout(description: "the leader is gone") }
        return leader
    }

    // MARK: Machines

    func start(_ broker: SimulatedBroker) throws {
        try broker.start()
        for other in brokers where other !== broker && other.isUp && network.isConnected(broker.id, other.id) {
            connect(broker, other)
        }
    }

    /// Kills the process; `loss` says what its disk forgets.
    func kill(_ broker: SimulatedBroker, losing loss: SimulatedFileSystem.Loss = .everythingUnflushed) {
        broker.kill(losing: loss)
        for other in brokers where other !== broker && other.isUp { disconnect(other, from: broker) }
    }

    /// Cuts a broker off from all others, or joins it again.
    func setConnected(_ broker: SimulatedBroker, _ isConnected: Bool) {
        broker.isCutOff = !isConnected
        for other in brokers where other !== broker {
            network.setConnected(broker.id, other.id, isConnected)
            guard broker.isUp, other.isUp else { continue }
            if isConnected {
                connect(broker, other)
            } else {
                disconnect(broker, from: other)
                disconnect(other, from: broker)
            }
        }
    }

    private func connect(_ a: SimulatedBroker, _ b: SimulatedBroker) {
        for (from, to) in [(a, b), (b, a)] {
            let hello = PeerHello(
                broker: Broker.registration(from.configuration), shardCount: UInt16(from.configuration.shardCount))
            from.process?.peers.send(.hello(hello), to: to.id)
        }
    }

    private func disconnect(_ broker: SimulatedBroker, from other: SimulatedBroker) {
        guard let process = broker.process else { return }
        scheduler.schedule(at: scheduler.now, on: process.loop) { process.peers.disconnected(from: other.id) }
    }

    /// The network's side of `SimulatedPeers`.
    func carry(_ frame: ByteBuffer, from sender: NodeID, to receiver: NodeID) {
        network.send(from: sender, to: receiver) { [unowned self] in
            guard let process = broker(receiver).process else { return }
            do {
                try process.loop.perform { try process.peers.receive(frame, from: sender) }
            } catch {
                preconditionFailure("broker \(sender) sent a frame that \(receiver) cannot read: \(error)")
            }
        }
    }

    // MARK: Clients

    func client(of broker: SimulatedBroker) -> SimulatedClient { SimulatedClient(of: broker, in: self) }
}
