import Basics
import NIOCore

/// Who sends and receives on the simulated network.
public enum Endpoint: Hashable, Sendable, CustomStringConvertible {
    case broker(NodeID)
    case client(Int)

    public var description: String {
        switch self {
        case .broker(let id): "broker \(id)"
        case .client(let number): "client \(number)"
        }
    }

    fileprivate var number: UInt64 {
        switch self {
        case .broker(let id): UInt64(id.rawValue)
        case .client(let number): 1 << 31 | UInt64(number)
        }
    }
}

/// Connections that carry messages in order, late, or not at all.
///
/// Between two endpoints there is one connection in each direction. It delivers in order until it is reset; a reset
/// loses what is under way, and both ends are told. A cut path delivers nothing until it is healed: between brokers
/// silently, while a client's connection is reset, because a client's bytes never have a hole in the middle.
///
/// Owner: the world.
public final class SimulatedNetwork {
    public struct Options: Hashable, Sendable {
        public var delayMin = TimeSpan.microseconds(100)
        public var delayMax = TimeSpan.milliseconds(3)
        /// One message in this many is held up for `stallMax`; 0 for none.
        public var stallOneIn: UInt64 = 0
        public var stallMax = TimeSpan.milliseconds(500)
        /// One message in this many resets its connection; 0 for none.
        public var resetOneIn: UInt64 = 0
        /// One Raft message in this many arrives a second time, up to `duplicateDelayMax` later, past all order and
        /// over every reset: what a forgotten connection may still hold. 0 for none.
        public var duplicateOneIn: UInt64 = 0
        public var duplicateDelayMax = TimeSpan.seconds(3)
        public init() {}
    }

    private struct Path: Hashable {
        let from: Endpoint
        let to: Endpoint

        var number: UInt64 { from.number << 32 | to.number }

        var hasClient: Bool {
            if case .client = from { return true }
            if case .client = to { return true }
            return false
        }
    }

    private struct Connection {
        var generation = 0
        /// Nothing is delivered before what was sent earlier.
        var lastDelivery = Instant.zero
    }

    public var options: Options
    private let scheduler: Scheduler
    private var random: RandomSource
    private var connections: [Path: Connection] = [:]
    private var cut: Set<Path> = []
    /// Called at once when the connection between two endpoints is reset; whoever is told late is told late by it.
    var onReset: ((_ a: Endpoint, _ b: Endpoint) -> Void)?
    /// The process that must be alive and awake to receive what arrives.
    var life: ((Endpoint) -> Life?)?

    public init(_ scheduler: Scheduler, options: Options, random: RandomSource) {
        self.scheduler = scheduler
        self.options = options
        self.random = random
    }

    /// Sends one message; `deliver` is called at the receiver, if it arrives and the receiver lives.
    public func send(from: Endpoint, to: Endpoint, _ deliver: @escaping () -> Void) {
        let path = Path(from: from, to: to)
        if options.resetOneIn > 0, random.next() % options.resetOneIn == 0 {
            reset(from, to)
            return
        }
        var connection = connections[path] ?? Connection()
        let arrival = max(scheduler.now + nextDelay(), connection.lastDelivery)
        connection.lastDelivery = arrival
        connections[path] = connection
        let generation = connection.generation
        scheduler.at(arrival) { [self] in
            guard connections[path]?.generation == generation else { return }
            arrive(path, deliver)
        }
    }

    /// Perhaps delivers the same again, much later.
    func sendAgain(from: Endpoint, to: Endpoint, _ deliver: @escaping () -> Void) {
        guard options.duplicateOneIn > 0, random.next() % options.duplicateOneIn == 0 else { return }
        let path = Path(from: from, to: to)
        scheduler.after(between(.zero, options.duplicateDelayMax)) { [self] in
            if !cut.contains(path) { arrive(path, deliver) }
        }
    }

    private func arrive(_ path: Path, _ deliver: @escaping () -> Void) {
        guard !cut.contains(path) else {
            if path.hasClient { reset(path.from, path.to) }
            return
        }
        scheduler.after(.zero, for: life?(path.to), as: .message(connection: path.number), deliver)
    }

    /// How long the next message or notice is under way.
    func nextDelay() -> TimeSpan {
        if options.stallOneIn > 0, random.next() % options.stallOneIn == 0 { return between(.zero, options.stallMax) }
        return between(options.delayMin, options.delayMax)
    }

    private func between(_ low: TimeSpan, _ high: TimeSpan) -> TimeSpan {
        let span = UInt64(max(1, high.nanoseconds - low.nanoseconds))
        return TimeSpan(nanoseconds: low.nanoseconds + Int64(random.next() % span))
    }

    /// Resets the connections between two endpoints: what is under way is lost.
    public func reset(_ a: Endpoint, _ b: Endpoint) {
        for path in [Path(from: a, to: b), Path(from: b, to: a)] {
            connections[path, default: Connection()].generation += 1
            connections[path]?.lastDelivery = scheduler.now
        }
        onReset?(a, b)
    }

    /// Stops or resumes delivery from `from` to `to`, in this direction only.
    public func setCut(from: Endpoint, to: Endpoint, _ isCut: Bool) {
        if isCut { cut.insert(Path(from: from, to: to)) } else { cut.remove(Path(from: from, to: to)) }
    }

    public func healAll() { cut.removeAll() }
}
