import Basics
import NIOCore

/// Executes the commands of one log: with its `Housekeeping`, the only place that writes to its segments.
///
/// `@unchecked Sendable`: everything but `queue` is touched by jobs of one executor only, which run one at a time, and
/// by `SegmentLog.open` before the first of them. Any error poisons the writer: it does nothing more, since after a
/// failed write or flush nobody knows what is on disk (Rebello et al., ATC '20).
final class SegmentWriter: @unchecked Sendable {
    let queue = WriteQueue()

    private let options: SegmentLogOptions
    private let files: any FileSystem
    private let layout: LogLayout
    private let executor: any StorageExecutor
    private var lock: (any FileLock)?
    private let state: StateFile

    /// What the job under way executes.
    private var commands: [WriteCommand] = []
    private var active: ActiveFile?
    private var staged = StagedWrite()
    private let housekeeping: Housekeeping
    private var written = LogIndex.zero
    /// Where the active file's content ends.
    private var end = 0
    private var truncations = 0
    private var failure: StorageError?
    private var isClosed = false

    private struct ActiveFile {
        var base: LogIndex
        var file: any StorageFile
        /// It has its final name. Until then it is the file `prepared`, and does not exist for recovery.
        var isPublished: Bool
        var isDirty = false
        /// Up to here the file's blocks are known to be on the disk.
        var placed = 0
    }

    /// Contiguous blocks on their way into the active file.
    private struct StagedWrite {
        var buffers: [ByteBuffer] = []
        var position = 0
        var bytes = 0
    }

    init(
        recovery: Recovery, executor: any StorageExecutor, housekeeping: Housekeeping, lock: (any FileLock)?,
        state: StateFile
    ) throws(StorageError) {
        options = recovery.options
        files = recovery.files
        layout = recovery.layout
        self.executor = executor
        self.housekeeping = housekeeping
        self.lock = lock
        self.state = state
        if let last = recovery.segments.last {
            let base = last.base
            active = ActiveFile(
                base: base, file: try files.open(layout.segment(base), .readWrite), isPublished: true)
            written = last.last
            end = last.end
        }
        if options.preallocate { housekeeping.prepare() }
    }

    // MARK: Jobs

    func submit(_ command: WriteCommand, report: @escaping WriteQueue.Report) {
        if queue.push(command, report: report) { executor.submit { self.runJob() } }
    }

    func submitHousekeeping() {
        if queue.schedule() { executor.submit { self.runJob() } }
    }

    /// One group commit or one chore, then room for the other logs of this executor.
    private func runJob() {
        let report = queue.takeGroup(into: &commands)
        defer { commands.removeAll(keepingCapacity: true) }
        var group = GroupReport()
        failure = failure ?? housekeeping.failure
        if failure == nil, !isClosed {
            do throws(StorageError) {
                if commands.isEmpty { try useSpareTime() } else { try execute(&group) }
            } catch {
                failure = error
                housekeeping.cancel()
            }
        }
        if failure != nil { group = GroupReport(failure: failure) }
        if case .close? = commands.last {
            group.isClosed = true
            // Whoever is told of the end may open the log again at once.
            lock = nil
        }
        group.truncations = truncations
        if !commands.isEmpty { report?(group) }
        if queue.endJob(hasMore: rangeToFill != nil) { executor.submit { self.runJob() } }
    }

    private func execute(_ group: inout GroupReport) throws(StorageError) {
        for command in commands {
            switch command {
            case .append(let append):
                if let begun = append.roll { try roll(to: begun.base, sealing: begun.sealing) }
                stage(append)
                group.token = append.token
            case .truncate(let truncation): try truncate(truncation)
            case .saveHardState(let hardState):
                try writeStaged()
                try state.save { $0.hardState = hardState }
                group.hardStates += 1
            case .reclaim(let bases, let first): try reclaim(bases, first: first)
            case .close: try close()
            }
        }
        if !isClosed { try commit() }
        group.through = written
    }

    /// Ends a group: everything staged is written, and flushed if durability asks for it.
    private func commit() throws(StorageError) {
        guard let active, active.isDirty || !active.isPublished || !staged.buffers.isEmpty else { return }
        let flushes = options.durability == .fsync
        // One call for both, unless some of the group is in the file already.
        try writeStaged(durably: flushes && active.isPublished && !active.isDirty)
        if !active.isPublished {
            try publish()
        } else if flushes, active.isDirty {
            try flush()
        } else if flushes {
            try state.hint(written)
        }
        self.active?.isDirty = false
    }

    private func flush() throws(StorageError) {
        guard let active else { return }
        try active.file.flush()
        self.active?.isDirty = false
        try state.hint(written)
    }

    // MARK: Appending

    private func stage(_ append: WriteCommand.Append) {
        if staged.buffers.isEmpty { staged.position = append.position }
        invariant(staged.position + staged.bytes == append.position, "block at \(append.position) is not contiguous")
        staged.buffers.append(contentsOf: append.bytes)
        staged.bytes += append.bytes.byteCount
        written = append.last
    }

    private func writeStaged(durably: Bool = false) throws(StorageError) {
        guard !staged.buffers.isEmpty else { return }
        guard let active else { preconditionFailure("invariant broken: blocks without a segment") }
        try active.file.append(staged.buffers, at: staged.position, durably: durably)
        end = staged.position + staged.bytes
        if !durably { self.active?.isDirty = true }
        staged.buffers.removeAll(keepingCapacity: true)
        staged.bytes = 0
    }

    /// The successor's existence says that the old segment is complete, so that one is flushed first, at any
    /// durability.
    private func roll(to base: LogIndex, sealing table: SegmentTable?) throws(StorageError) {
        try finishActive()
        try finishHousekeeping()
        let sealed = active?.file
        let prepared = try housekeeping.takePrepared()
        active = ActiveFile(base: base, file: prepared.file, isPublished: false, placed: prepared.placed)
        staged.buffers = [SegmentFormat.header(shard: options.shard, base: base)]
        staged.position = 0
        staged.bytes = SegmentFormat.headerBytes
        if let sealed, let table {
            housekeeping.seal(table, sealed) { [weak self] in self?.submitHousekeeping() }
        }
    }

    private func finishActive() throws(StorageError) {
        try writeStaged()
        guard let active else { return }
        if !active.isPublished {
            try publish()
        } else {
            try flush()
        }
    }

    /// Gives a new segment its name, after its first blocks are safe: a segment that exists is never empty.
    private func publish() throws(StorageError) {
        guard let active else { return }
        try active.file.flush()
        try files.rename(layout.prepared, to: layout.segment(active.base))
        try files.syncDirectory(options.directory)
        self.active?.isPublished = true
        self.active?.isDirty = false
        // Not earlier: until now the segment had the name that the next one's file gets.
        if options.preallocate { housekeeping.prepare() }
        try state.hint(written)
    }

    // MARK: Cutting

    /// Each step is durable before the next, newest first, so that a crash leaves a shorter log and never a hole.
    private func truncate(_ truncation: WriteCommand.Truncation) throws(StorageError) {
        try finishActive()
        housekeeping.cancelSeals(from: truncation.kept ?? .zero)
        try state.save { state in
            state.watermark = min(state.watermark, truncation.last)
            state.truncations += 1
            if truncation.kept == nil { state.firstSegment = .zero }
        }
        for base in truncation.dropped {
            try files.unlink(layout.segment(base))
            try unlinkIfPresent(layout.sidecar(base))
            try unlinkIfPresent(layout.offsets(base))
            try files.syncDirectory(options.directory)
        }
        active = nil
        if let kept = truncation.kept {
            let file = try files.open(layout.segment(kept), .readWrite)
            try file.truncate(to: truncation.position)
            try file.flush()
            try unlinkIfPresent(layout.sidecar(kept))
            try unlinkIfPresent(layout.offsets(kept))
            active = ActiveFile(base: kept, file: file, isPublished: true)
            end = truncation.position
        }
        written = truncation.last
        truncations += 1
    }

    private func unlinkIfPresent(_ path: String) throws(StorageError) {
        do throws(StorageError) {
            try files.unlink(path)
        } catch {
            guard case .io(.unlink, _, .noSuchFile) = error else { throw error }
        }
    }

    // MARK: Housekeeping

    private func useSpareTime() throws(StorageError) {
        if try !saveSealed() { fillAhead() }
    }

    /// Makes durable that sealed segments are complete; false if there is no news of that.
    private func saveSealed() throws(StorageError) -> Bool {
        guard let sealed = housekeeping.takeSealed() else { return false }
        try state.save { $0.watermark = max($0.watermark, sealed) }
        return true
    }

    private func finishHousekeeping() throws(StorageError) {
        try housekeeping.finish()
        _ = try saveSealed()
    }

    /// The next piece of the active file in front of the log to put on the disk while nobody waits; nil when enough is.
    private var rangeToFill: Range<Int>? {
        guard options.preallocate, failure == nil, let active, active.isPublished else { return nil }
        let start = max(active.placed, end)
        guard start < min(options.segmentBytes, end + SegmentLogOptions.fillAheadBytes) else { return nil }
        return start ..< min(start + SegmentLogOptions.fillBytes, options.segmentBytes)
    }

    /// A flush behind a write into blocks that exist has no metadata to write, which makes it about twice as fast.
    private func fillAhead() {
        guard let range = rangeToFill, let file = active?.file else { return }
        do throws(StorageError) {
            try file.fill(range)
            active?.placed = range.upperBound
        } catch {
            // As with the next segment's: if the disk is full, the append that needs the space will say so.
            active?.placed = .max
        }
    }

    /// The floor is durable before the first file goes, so that recovery finishes what a crash interrupts.
    private func reclaim(_ bases: [LogIndex], first: LogIndex) throws(StorageError) {
        // `first` may be the active segment, which must exist before the state says that it must.
        try finishActive()
        try finishHousekeeping()
        try state.save { $0.firstSegment = first }
        for base in bases {
            if try !housekeeping.recycle(base) { try files.unlink(layout.segment(base)) }
            try unlinkIfPresent(layout.sidecar(base))
            try unlinkIfPresent(layout.offsets(base))
        }
        try files.syncDirectory(options.directory)
    }

    private func close() throws(StorageError) {
        try finishActive()
        try housekeeping.close()
        try state.save { $0.watermark = written }
        active = nil
        isClosed = true
    }
}

extension Int32 {
    /// ENOENT, the same number everywhere.
    static var noSuchFile: Int32 { 2 }
}
