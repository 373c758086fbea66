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
}

/// Connections that carry bytes in order, late, or not at all.
///
/// Between two endpoints there is one connection in each direction. It delivers in order until it is reset; a reset
/// loses what is under way, perhaps in the middle, and both ends are told. A cut path silently delivers nothing, as a
/// network does, until it is healed or the connection is reset.
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
        public init() {}
    }

    private struct Path: Hashable {
        let from: Endpoint
        let to: Endpoint
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
    /// Called at the endpoint when a connection to it or from it was reset.
    public var onReset: ((_ endpoint: Endpoint, _ other: Endpoint) -> Void)?

    public init(_ scheduler: Scheduler, options: Options, random: RandomSource) {
        self.scheduler = scheduler
        self.options = options
        self.random = random
    }

    /// Sends one message; `deliver` is called at the receiver, if it arrives.
    public func send(from: Endpoint, to: Endpoint, _ deliver: @escaping () -> Void) {
        let path = Path(from: from, to: to)
        if options.resetOneIn > 0, random.next() % options.resetOneIn == 0 {
            reset(from, to)
            return
        }
        var connection = connections[path] ?? Connection()
        var delay = between(options.delayMin, options.delayMax)
        if options.stallOneIn > 0, random.next() % options.stallOneIn == 0 { delay = between(.zero, options.stallMax) }
        let arrival = max(scheduler.now + delay, connection.lastDelivery)
        connection.lastDelivery = arrival
        connections[path] = connection
        let generation = connection.generation
        scheduler.at(arrival) { [self] in
            guard connections[path]?.generation == generation, !cut.contains(path) else { return }
            deliver()
        }
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
        let delay = between(options.delayMin, options.delayMax)
        scheduler.after(delay) { [self] in
            onReset?(a, b)
            onReset?(b, a)
        }
    }

    /// Stops or resumes delivery from `from` to `to`, in this direction only.
    public func setCut(from: Endpoint, to: Endpoint, _ isCut: Bool) {
        if isCut { cut.insert(Path(from: from, to: to)) } else { cut.remove(Path(from: from, to: to)) }
    }

    public func healAll() { cut.removeAll() }
}
