import CMartlet

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A thread that runs blocking storage work, so that neither an event loop nor Swift's cooperative pool ever waits for
/// a disk. Its mailbox is drained in batches, and signalled only when the thread sleeps.
///
/// `@unchecked Sendable`: `mailbox`, `isSleeping` and `isStopping` are guarded by `mutex`; `handle` is written before
/// `init` returns and read by `stop`, which its owner calls once. The mailbox holds at most one job per log and kind
/// of work, plus the reads under way.
public final class StorageThread: StorageExecutor, @unchecked Sendable {
    public typealias Job = @Sendable () -> Void

    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let wakeUp: UnsafeMutablePointer<pthread_cond_t>
    private var mailbox: [Job] = []
    private var isSleeping = false
    private var isStopping = false
    private var handle: pthread_t?

    /// Starts the thread. `name` appears in system tools; at most 15 bytes of it on Linux.
    public init(name: String) {
        mutex = .allocate(capacity: 1)
        wakeUp = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(wakeUp, nil)
        var thread: pthread_t?
        let argument = Unmanaged.passRetained(Start(thread: self, name: String(name.prefix(15))))
        let result = createThread(&thread, argument.toOpaque())
        precondition(result == 0, "cannot start a storage thread: errno \(result)")
        handle = thread
    }

    deinit {
        pthread_cond_destroy(wakeUp)
        pthread_mutex_destroy(mutex)
        wakeUp.deallocate()
        mutex.deallocate()
    }

    public func submit(_ job: @escaping Job) {
        pthread_mutex_lock(mutex)
        precondition(!isStopping, "job submitted to a stopped storage thread")
        mailbox.append(job)
        let wake = isSleeping
        isSleeping = false
        pthread_mutex_unlock(mutex)
        if wake { pthread_cond_signal(wakeUp) }
    }

    /// Runs what is in the mailbox, ends the thread and waits for its end. Call once, from another thread.
    public func stop() {
        pthread_mutex_lock(mutex)
        isStopping = true
        isSleeping = false
        pthread_mutex_unlock(mutex)
        pthread_cond_signal(wakeUp)
        if let handle { pthread_join(handle, nil) }
        handle = nil
    }

    fileprivate func run() {
        while let jobs = nextJobs() {
            for job in jobs { job() }
        }
    }

    private func nextJobs() -> [Job]? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while mailbox.isEmpty {
            if isStopping { return nil }
            isSleeping = true
            pthread_cond_wait(wakeUp, mutex)
        }
        let jobs = mailbox
        mailbox = []
        return jobs
    }
}

/// What a new thread needs to know.
private final class Start {
    let thread: StorageThread
    let name: String

    init(thread: StorageThread, name: String) {
        self.thread = thread
        self.name = name
    }
}

private func createThread(_ thread: inout pthread_t?, _ argument: UnsafeMutableRawPointer) -> Int32 {
    #if canImport(Glibc)
    var created = pthread_t()
    let result = pthread_create(&created, nil, { runThread($0) }, argument)
    thread = created
    return result
    #else
    return pthread_create(&thread, nil, { runThread($0) }, argument)
    #endif
}

private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
    martlet_name_thread(start.name)
    start.thread.run()
    return nil
}
