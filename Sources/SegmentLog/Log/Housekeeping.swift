import Basics
import NIOCore
import Synchronization

/// The work on a log's files that nobody waits for: what is left to do for complete segments, and the next one's file.
///
/// Its executor does it beside the writer, chore by chore; the writer does what is left when it needs the result.
/// Whoever holds `work` is at it, so nothing is done twice, and who needs a chore's result waits for its end.
final class Housekeeping: Sendable {
    /// A segment's file before it has its name.
    struct Prepared {
        var file: any StorageFile
        /// Up to here the file's blocks are known to be on the disk.
        var placed: Int
    }

    private enum Chore {
        case seal(SegmentTable, any StorageFile, whenDone: @Sendable () -> Void)
        case prepare
    }

    private struct Work {
        var chores: [Chore] = []
        var prepared: Prepared?
        var recycled: [LogIndex] = []
    }

    /// What was done and the writer has not looked at yet. Apart from `work`, so that a look waits for no chore.
    private struct Outcome {
        var sealed: LogIndex?
        var failure: StorageError?
    }

    private let options: SegmentLogOptions
    private let files: any FileSystem
    private let layout: LogLayout
    private let executor: any StorageExecutor
    private let work = Mutex(Work())
    private let outcome = Mutex(Outcome())

    init(_ options: SegmentLogOptions, files: any FileSystem, layout: LogLayout, executor: any StorageExecutor) {
        self.options = options
        self.files = files
        self.layout = layout
        self.executor = executor
    }

    // MARK: What the writer asks for

    /// Makes the next segment's file, if there is none.
    func prepare() { add(.prepare) }

    /// Cuts a complete segment to its content and writes its table. `whenDone` may be called from any thread.
    func seal(_ table: SegmentTable, _ file: any StorageFile, whenDone: @escaping @Sendable () -> Void) {
        add(.seal(table, file, whenDone: whenDone))
    }

    private func add(_ chore: Chore) {
        work.withLock { $0.chores.append(chore) }
        executor.submit { [self] in runNext() }
    }

    private func runNext() {
        work.withLock { work in
            guard !work.chores.isEmpty else { return }
            do throws(StorageError) {
                try run(work.chores.removeFirst(), &work)
            } catch {
                work.chores = []
                outcome.withLock { $0.failure = error }
            }
        }
    }

    /// Does what is left to do.
    func finish() throws(StorageError) {
        try work.withLock { work throws(StorageError) in
            while !work.chores.isEmpty { try run(work.chores.removeFirst(), &work) }
        }
        if let failure { throw failure }
    }

    /// Forgets what is left to do for `segment` and those behind it, which are to be cut off.
    func cancelSeals(from segment: LogIndex) {
        work.withLock { work in
            work.chores.removeAll { chore in
                guard case .seal(let table, _, _) = chore else { return false }
                return table.segment >= segment
            }
            // Of a segment that was sealed and is cut now, the watermark must not say that it is complete.
            outcome.withLock { $0.sealed = nil }
        }
    }

    /// The next segment's file; makes it if that was not done ahead.
    func takePrepared() throws(StorageError) -> Prepared {
        try work.withLock { work throws(StorageError) in
            if let prepared = work.prepared {
                work.prepared = nil
                return prepared
            }
            return try makeFile(&work, allocating: false)
        }
    }

    /// Takes over the file of a segment that is not needed any more, for its blocks. False if there are enough of them.
    func recycle(_ base: LogIndex) throws(StorageError) -> Bool {
        try work.withLock { work throws(StorageError) in
            guard work.recycled.count < options.recycleMax else { return false }
            try files.rename(layout.segment(base), to: layout.free(base))
            work.recycled.append(base)
            return true
        }
    }

    /// Does what must be done before the log's files are closed, and lets go of them.
    func close() throws(StorageError) {
        work.withLock { work in work.chores.removeAll { if case .prepare = $0 { true } else { false } } }
        try finish()
        work.withLock { $0.prepared = nil }
    }

    /// Gives up, after an error of the writer.
    func cancel() { work.withLock { $0.chores = [] } }

    // MARK: What the writer looks at

    /// Why it gave up.
    var failure: StorageError? { outcome.withLock { $0.failure } }

    /// The last entry of the newest segment that was sealed since the last call.
    func takeSealed() -> LogIndex? {
        outcome.withLock { outcome in
            defer { outcome.sealed = nil }
            return outcome.sealed
        }
    }

    // MARK: The chores

    private func run(_ chore: Chore, _ work: inout Work) throws(StorageError) {
        switch chore {
        case .seal(let table, let file, let whenDone):
            try seal(table, file)
            // With the lock: a writer that closes needs it, so it is still there to hear of this.
            whenDone()
        case .prepare: if work.prepared == nil { work.prepared = try makeFile(&work, allocating: true) }
        }
    }

    /// Cuts off what was preallocated or recycled, so that the file is the same on every replica.
    private func seal(_ table: SegmentTable, _ file: any StorageFile) throws(StorageError) {
        try file.truncate(to: table.end)
        try file.flush()
        try table.writeSidecar(shard: options.shard, files: files, layout: layout)
        outcome.withLock { $0.sealed = max($0.sealed ?? .zero, table.last) }
    }

    private func makeFile(_ work: inout Work, allocating: Bool) throws(StorageError) -> Prepared {
        if let base = work.recycled.first {
            work.recycled.removeFirst()
            try files.rename(layout.free(base), to: layout.prepared)
        }
        let file = try files.open(layout.prepared, .create)
        let placed = try file.size()
        // Reserving space is an optimisation; if the disk is full, the append that needs the space will say so.
        if allocating { try? file.allocate(options.segmentBytes) }
        return Prepared(file: file, placed: placed)
    }
}
