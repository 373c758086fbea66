import Dispatch
import NIOCore

/// One broker's event loop in a world: its tasks run in the world's order and at the world's time.
///
/// Owner: a `SimulatedBroker`. `@unchecked Sendable`: see `Scheduler`. Whoever touches what belongs to another loop
/// traps, as in production, because `inEventLoop` is true for the loop whose task is running and for no other.
final class SimulatedEventLoop: EventLoop, @unchecked Sendable {
    private let scheduler: Scheduler
    /// The process that this loop belonged to is gone: its tasks never run.
    private(set) var isStopped = false

    init(_ scheduler: Scheduler) { self.scheduler = scheduler }

    func stop() { isStopped = true }

    /// Runs `body` now, as a task of this loop.
    func perform<Value>(_ body: () throws -> Value) rethrows -> Value {
        try scheduler.perform(on: self, body)
    }

    // MARK: EventLoop

    var inEventLoop: Bool { scheduler.running === self }
    var now: NIODeadline { scheduler.now }

    func execute(_ task: @escaping @Sendable () -> Void) {
        scheduler.schedule(at: scheduler.now, on: self, task)
    }

    func submit<T>(_ task: @escaping @Sendable () throws -> T) -> EventLoopFuture<T> {
        scheduleTask(deadline: scheduler.now, task).futureResult
    }

    @discardableResult
    func scheduleTask<T>(deadline: NIODeadline, _ task: @escaping @Sendable () throws -> T) -> Scheduled<T> {
        let promise = makePromise(of: T.self)
        let id = scheduler.schedule(at: deadline, on: self) {
            promise.assumeIsolated().completeWith(Result { try task() })
        }
        return Scheduled(promise: promise) { [scheduler] in scheduler.cancel(id) }
    }

    @discardableResult
    func scheduleTask<T>(in delay: TimeAmount, _ task: @escaping @Sendable () throws -> T) -> Scheduled<T> {
        scheduleTask(deadline: scheduler.now + delay, task)
    }

    func next() -> any EventLoop { self }
    func any() -> any EventLoop { self }
    func makeIterator() -> EventLoopIterator { EventLoopIterator([self]) }

    func preconditionInEventLoop(file: StaticString, line: UInt) {
        precondition(inEventLoop, "called from another loop", file: file, line: line)
    }

    func preconditionNotInEventLoop(file: StaticString, line: UInt) {
        precondition(!inEventLoop, "called from the loop", file: file, line: line)
    }

    func shutdownGracefully(queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void) {
        stop()
        queue.async { callback(nil) }
    }
}
