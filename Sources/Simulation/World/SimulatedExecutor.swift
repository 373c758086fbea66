import Basics
import SegmentLog

/// A storage thread in simulated time: one job after another, each taking as long as the disk says. What a job does to
/// the disk happens halfway; its news reach the loop when it is done. In between, the loop may ask for more.
///
/// `@unchecked Sendable`: `StorageExecutor` demands it; the world has one thread, see `Scheduler`.
public final class SimulatedExecutor: StorageExecutor, @unchecked Sendable {
    private let scheduler: Scheduler
    private let life: Life
    private let latency: () -> TimeSpan
    /// When the job submitted last will be done.
    private var busyUntil = Instant.zero
    private var stalledUntil = Instant.zero

    /// - Parameter latency: how long the next job takes; drawn once for each.
    public init(_ scheduler: Scheduler, life: Life, latency: @escaping () -> TimeSpan) {
        self.scheduler = scheduler
        self.life = life
        self.latency = latency
    }

    public func submit(_ job: @escaping @Sendable () -> Void) {
        let start = max(busyUntil, scheduler.now)
        let span = latency()
        let end = max(start + span, stalledUntil)
        busyUntil = end
        scheduler.at(start + span / 2, for: life) { [self] in life.delayNews(until: max(end, stalledUntil), of: job) }
    }

    /// A disk that stalls: what is being done, or asked for next, is heard of no sooner than `time`, and nothing else
    /// is done before.
    public func stall(until time: Instant) {
        stalledUntil = max(stalledUntil, time)
    }
}
