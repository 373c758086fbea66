import NIOCore

/// The time of a world and the order of all that happens in it: one queue of tasks by time, then by arrival. Nothing
/// happens but what `step` takes from it, so a run depends on its seed alone.
///
/// Owner: its `World`. `@unchecked Sendable`: a world and all its parts are used by one thread, the test's; the
/// conformance is what `EventLoop` and `StorageExecutor` ask of whoever holds a scheduler.
final class Scheduler: @unchecked Sendable {
    typealias TaskID = UInt64

    private struct Task {
        let time: NIODeadline
        let id: TaskID
        /// Where it runs; nil for the network and the disks.
        let loop: SimulatedEventLoop?
        let body: () -> Void
    }

    /// Latest first, so that the next one is taken from the end.
    private var tasks: [Task] = []
    private var lastID: TaskID = 0
    private(set) var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    /// The loop whose task is running.
    private(set) var running: SimulatedEventLoop?

    @discardableResult
    func schedule(at time: NIODeadline, on loop: SimulatedEventLoop?, _ body: @escaping () -> Void) -> TaskID {
        lastID += 1
        let due = max(time, now)
        var low = 0, high = tasks.count
        while low < high {
            let middle = (low + high) / 2
            if tasks[middle].time > due { low = middle + 1 } else { high = middle }
        }
        tasks.insert(Task(time: due, id: lastID, loop: loop, body: body), at: low)
        return lastID
    }

    func cancel(_ id: TaskID) { tasks.removeAll { $0.id == id } }

    /// Takes the next task and runs it at its time; false when there is none before `limit`.
    func step(before limit: NIODeadline) -> Bool {
        guard let next = tasks.last, next.time < limit else {
            now = max(now, limit)
            return false
        }
        tasks.removeLast()
        now = next.time
        if let loop = next.loop {
            if !loop.isStopped { perform(on: loop, next.body) }
        } else {
            next.body()
        }
        return true
    }

    /// Runs `body` now, as a task of `loop`.
    func perform<Value>(on loop: SimulatedEventLoop, _ body: () throws -> Value) rethrows -> Value {
        let outer = running
        running = loop
        defer { running = outer }
        return try body()
    }

    /// Forgets everything that was to happen: the tasks hold the parts of the world.
    func clear() { tasks = [] }
}
