import Basics
import NIOCore

/// The network between the brokers of a world: carries bytes in order, with a delay drawn from the seed, and loses
/// what is under way on a connection that is cut.
///
/// Owner: its `World`.
final class SimulatedNetwork {
    private struct Direction: Hashable {
        let from: NodeID
        let to: NodeID
    }

    private let scheduler: Scheduler
    private var random: RandomSource
    /// Microseconds from one broker to another.
    var latency: ClosedRange<Int64> = 100...300
    private var cut: Set<Direction> = []
    /// Counts cuts: what was sent before one never arrives.
    private var generations: [Direction: Int] = [:]
    private var lastArrival: [Direction: NIODeadline] = [:]

    init(_ scheduler: Scheduler, seed: UInt64) {
        self.scheduler = scheduler
        random = RandomSource(seed: seed)
    }

    func isConnected(_ a: NodeID, _ b: NodeID) -> Bool { !cut.contains(Direction(from: a, to: b)) }

    func setConnected(_ a: NodeID, _ b: NodeID, _ isConnected: Bool) {
        for direction in [Direction(from: a, to: b), Direction(from: b, to: a)] {
            generations[direction, default: 0] += 1
            if isConnected { cut.remove(direction) } else { cut.insert(direction) }
        }
    }

    func send(from: NodeID, to: NodeID, _ arrive: @escaping () -> Void) {
        let direction = Direction(from: from, to: to)
        guard !cut.contains(direction) else { return }
        let delay = TimeAmount.microseconds(Int64.random(in: latency, using: &random))
        let arrival = max(scheduler.now + delay, lastArrival[direction] ?? scheduler.now)
        lastArrival[direction] = arrival
        let generation = generations[direction]
        scheduler.schedule(at: arrival, on: nil) { [unowned self] in
            if generations[direction] == generation { arrive() }
        }
    }
}
