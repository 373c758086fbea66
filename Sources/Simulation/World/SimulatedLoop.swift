import Basics
import Dispatch
import NIOCore

/// An event loop in simulated time: one for each life of a simulated process.
///
/// `@unchecked Sendable`: `EventLoop` demands it; the world has one thread, see `Scheduler`.
public final class SimulatedLoop: EventLoop, @unchecked Sendable {
    private let scheduler: Scheduler
    private let life: Life
    /// How much faster than the world this process's clock runs, in parts per million.
    private let driftPartsPerMillion: Int64
    private let start: Instant
    /// How to fail what is scheduled and has not happened.
    private var waiting: [UInt64: () -> Void] = [:]
    private var lastNumber: UInt64 = 0

    public init(_ scheduler: Scheduler, life: Life, driftPartsPerMillion: Int64 = 0) {
        self.scheduler = scheduler
        self.life = life
        self.driftPartsPerMillion = driftPartsPerMillion
        start = scheduler.now
    }

    public var inEventLoop: Bool { true }

    /// One second past boot when the world begins, so that no deadline is negative.
    public var now: NIODeadline {
        let elapsed = (scheduler.now - start).nanoseconds
        let local = start.nanoseconds + elapsed + elapsed / 1_000_000 * driftPartsPerMillion
        return .uptimeNanoseconds(UInt64(1_000_000_000 + local))
    }

    public func execute(_ task: @escaping @Sendable () -> Void) {
        scheduler.at(life.newsAt, for: life, task)
    }

    public func submit<T>(_ task: @escaping @Sendable () throws -> T) -> EventLoopFuture<T> {
        let promise = makePromise(of: T.self)
        let number = remember(promise)
        execute {
            self.waiting[number] = nil
            promise.assumeIsolated().completeWith(Result { try task() })
        }
        return promise.futureResult
    }

    public func scheduleTask<T>(
        deadline: NIODeadline, _ task: @escaping @Sendable () throws -> T
    ) -> Scheduled<T> {
        scheduleTask(in: deadline - now, task)
    }

    public func scheduleTask<T>(
        in delay: TimeAmount, _ task: @escaping @Sendable () throws -> T
    ) -> Scheduled<T> {
        let promise = makePromise(of: T.self)
        let cancellation = Cancellation()
        let number = remember(promise)
        scheduler.after(TimeSpan(nanoseconds: delay.nanoseconds), for: life, as: .timer) { [self] in
            guard !cancellation.isCancelled else { return }
            waiting[number] = nil
            promise.assumeIsolated().completeWith(Result { try task() })
        }
        return Scheduled(promise: promise) { [self] in
            cancellation.isCancelled = true
            waiting[number] = nil
        }
    }

    private func remember<T>(_ promise: EventLoopPromise<T>) -> UInt64 {
        lastNumber += 1
        waiting[lastNumber] = { promise.fail(EventLoopError.cancelled) }
        return lastNumber
    }

    /// The process has ended: what was scheduled will not happen. NIO traps on a promise that is merely forgotten.
    func close() {
        let forgotten = waiting.sorted { $0.key < $1.key }
        waiting = [:]
        for (_, fail) in forgotten { fail() }
    }

    /// Owner: the scheduled task it belongs to. `@unchecked Sendable` for the reason the loop has.
    private final class Cancellation: @unchecked Sendable {
        var isCancelled = false
    }

    public func shutdownGracefully(queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void) {
        life.end()
        callback(nil)
    }

    public func syncShutdownGracefully() throws { life.end() }

    // A world ends with timers and promises pending; that is no leak.
    public func _promiseCreated(futureIdentifier: _NIOEventLoopFutureIdentifier, file: StaticString, line: UInt) {}
    public func _promiseCompleted(
        futureIdentifier: _NIOEventLoopFutureIdentifier
    ) -> (file: StaticString, line: UInt)? { nil }
}
