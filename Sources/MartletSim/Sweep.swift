import Basics
import Glibc
import Simulation
import Synchronization

/// Runs many worlds, or lives of logs, each in a process of its own, and tells of those that fail: one that traps or
/// never ends costs itself, and its memory goes with it.
///
/// Owner: the command. The threads share the counter of seeds and the results behind one lock.
final class Sweep: Sendable {
    private struct Progress {
        var next: UInt64?
        var done = 0
        var failed: [UInt64] = []
        var operations = 0
        var virtualSeconds: Int64 = 0
    }

    private let seeds: ClosedRange<UInt64>
    private let jobs: Int
    private let stopsAtFailure: Bool
    private let isOfWorlds: Bool
    private let arguments: [String]
    private let progress: Mutex<Progress>

    /// - Parameter arguments: for a process that runs the world whose seed is appended.
    init(seeds: ClosedRange<UInt64>, jobs: Int, stopsAtFailure: Bool, isOfWorlds: Bool, arguments: [String]) {
        self.seeds = seeds
        self.jobs = jobs
        self.stopsAtFailure = stopsAtFailure
        self.isOfWorlds = isOfWorlds
        self.arguments = arguments
        progress = Mutex(Progress(next: seeds.lowerBound))
    }

    /// - Returns: whether every world held.
    func run() -> Bool {
        let start = ContinuousClock.now
        let threads = (1..<max(1, jobs)).map { _ in WorkerThread { self.work() } }
        work()
        for thread in threads { thread.join() }
        let seconds = max(0.001, (ContinuousClock.now - start) / .seconds(1))
        return progress.withLock { progress in
            let speed = "in \(Int(seconds)) s (\(Int(Double(progress.done) / seconds * 3_600)) an hour)"
            let subject = isOfWorlds
                ? "\(progress.done) worlds \(speed), \(progress.virtualSeconds) simulated seconds, "
                    + "\(progress.operations) operations"
                : "\(progress.operations) crash states of \(progress.done) lives \(speed)"
            print("\(subject), \(progress.failed.count) failed")
            return progress.failed.isEmpty
        }
    }

    private func takeSeed() -> UInt64? {
        progress.withLock { progress in
            guard let seed = progress.next, progress.failed.isEmpty || !stopsAtFailure else { return nil }
            progress.next = seed < seeds.upperBound ? seed + 1 : nil
            return seed
        }
    }

    private func work() {
        while let seed = takeSeed() {
            var outcome = WorldProcess.run(arguments + ["--seed", "\(seed)", "--brief"])
            // Where records may be lost, a broker that stops by one of its invariants does right.
            if isOfWorlds, outcome.isTrap, ExperimentOptions(seed: seed).faults.isBeyondBudget { outcome.failure = nil }
            progress.withLock { progress in
                progress.done += 1
                progress.operations += outcome.report?.operations ?? 0
                progress.virtualSeconds += outcome.report?.virtualSeconds ?? 0
                if let failure = outcome.failure {
                    progress.failed.append(seed)
                    print("seed \(seed): \(failure)")
                    let command = ["martlet-sim"] + arguments + ["--seed", "\(seed)"] + (isOfWorlds ? ["--shrink"] : [])
                    print("  \(command.joined(separator: " "))")
                } else if progress.done % 50 == 0 {
                    print("\(progress.done) done, \(progress.failed.count) failed")
                }
                fflush(nil)
            }
        }
    }
}

/// A thread that runs one closure.
struct WorkerThread {
    private final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    private let thread: pthread_t

    init(_ body: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        let box = Unmanaged.passRetained(Box(body))
        let status = pthread_create(&thread, nil, { context in
            guard let context else { return nil }
            Unmanaged<Box>.fromOpaque(context).takeRetainedValue().body()
            return nil
        }, box.toOpaque())
        invariant(status == 0, "a thread can be made")
        self.thread = thread
    }

    func join() { pthread_join(thread, nil) }
}
