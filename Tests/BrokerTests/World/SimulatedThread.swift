import NIOCore
import SegmentLog

/// A thread of one broker in a world: runs jobs one at a time, each after the time that a disk would take.
///
/// Owner: a `SimulatedBroker`. `@unchecked Sendable`: see `Scheduler`.
final class SimulatedThread: StorageExecutor, @unchecked Sendable {
    private let scheduler: Scheduler
    private let latency: TimeAmount
    private var jobs: [@Sendable () -> Void] = []
    private var isScheduled = false
    private var isStopped = false
    /// While true nothing is done: a disk that stands still.
    var isStalled = false { didSet { scheduleNext() } }

    var jobCount: Int { jobs.count }

    init(_ scheduler: Scheduler, latency: TimeAmount) {
        self.scheduler = scheduler
        self.latency = latency
    }

    func submit(_ job: @escaping @Sendable () -> Void) {
        jobs.append(job)
        scheduleNext()
    }

    /// The process is gone: what was to be done is not done.
    func stop() {
        isStopped = true
        jobs = []
    }

    private func scheduleNext() {
        guard !jobs.isEmpty, !isScheduled, !isStalled, !isStopped else { return }
        isScheduled = true
        scheduler.schedule(at: scheduler.now + latency, on: nil) { [weak self] in self?.runNext() }
    }

    private func runNext() {
        isScheduled = false
        if !isStalled, !jobs.isEmpty { jobs.removeFirst()() }
        scheduleNext()
    }
}
