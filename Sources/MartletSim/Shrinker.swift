import Basics
import Simulation

/// Looks for a smaller world that fails as well: shorter, with fewer kinds of faults and fewer clients.
///
/// A change of the options changes all that is drawn after it, so this is a search with luck, not a proof.
struct Shrinker {
    private(set) var smallest: ExperimentReport
    /// Worlds run at most.
    private var left = 60

    /// - Parameter report: of a world that failed.
    init(_ report: ExperimentReport) { smallest = report }

    mutating func run() {
        var before: ExperimentOptions
        repeat {
            before = smallest.options
            shorten()
            for kind in smallest.options.faults.kinds {
                attempt { $0.faults.kinds.removeAll { $0 == kind } }
            }
            attempt { $0.workload.classicGroups = 0 }
            attempt { $0.workload.consumerGroups = 0 }
            attempt { $0.workload.mixedGroups = 0 }
            attempt { $0.workload.groupMembersMax = min($0.workload.groupMembersMax, 2) }
            attempt { $0.workload.deletesRecords = false }
            attempt { $0.workload.changesConfigurations = false }
            attempt { $0.workload.consumers = 0 }
            attempt { $0.workload.plainProducers = 0 }
            attempt { $0.workload.idempotentProducers = min($0.workload.idempotentProducers, 1) }
            attempt { $0.workload.topics = 1 }
        } while left > 0 && smallest.options != before
    }

    private mutating func shorten() {
        while left > 0, smallest.options.duration > .seconds(1) {
            let half = TimeSpan.seconds(smallest.options.duration.nanoseconds / 2_000_000_000)
            guard attempt({ $0.duration = half }) else { return }
        }
    }

    /// Keeps the change if the world still fails.
    @discardableResult
    private mutating func attempt(_ change: (inout ExperimentOptions) -> Void) -> Bool {
        var options = smallest.options
        change(&options)
        guard left > 0, options != smallest.options else { return false }
        left -= 1
        let report = Experiment(options).run()
        guard report.violation != nil else { return false }
        smallest = report
        return true
    }
}
