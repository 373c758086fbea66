import Synchronization

/// Where blocking storage work runs. Jobs of one executor run one at a time, in the order of submission.
public protocol StorageExecutor: Sendable {
    func submit(_ job: @escaping @Sendable () -> Void)
}

/// Runs jobs when told to: gives tests and simulations every interleaving.
public final class ManualExecutor: StorageExecutor {
    private let jobs = Mutex<[@Sendable () -> Void]>([])

    public init() {}

    public func submit(_ job: @escaping @Sendable () -> Void) { jobs.withLock { $0.append(job) } }

    /// Number of jobs that wait.
    public var pending: Int { jobs.withLock { $0.count } }

    /// Runs the oldest job; false if there is none.
    @discardableResult
    public func runNext() -> Bool {
        let job = jobs.withLock { $0.isEmpty ? nil : $0.removeFirst() }
        job?()
        return job != nil
    }

    /// Runs jobs until none is left, those included that are submitted meanwhile.
    public func runAll() {
        while runNext() {}
    }
}
