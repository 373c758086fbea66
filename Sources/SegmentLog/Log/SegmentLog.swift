import Basics
import DequeModule
import NIOCore

/// The replicated log of one shard on disk: blocks of entries, ordered by index and term.
///
/// Owned by one event loop and confined to it: every call comes from there and every callback arrives there (`open` may
/// run elsewhere). The log decides where each block goes and keeps
/// the newest blocks in memory; its writer merely executes what was decided. Memory is bounded by the driver, which
/// evicts blocks and limits what is unflushed, and by `SegmentLogOptions.tableBytesMax` plus one table for the active
/// segment.
///
/// After a failed write or flush the log is poisoned: `onFailure` is called once, and nothing is written or reported
/// as flushed any more. Only opening it again, through recovery, tells what is on disk.
public final class SegmentLog {
    public let options: SegmentLogOptions
    public let eventLoop: any EventLoop
    /// What `open` found and did.
    public let recovery: RecoverySummary
    /// The hard state last saved, or recovered.
    public internal(set) var hardState: HardStateRecord

    /// A group commit is stored: everything up to and including `through`. One call per group; `token` is that of the
    /// newest append in it. A group from before a truncation still reports, with the old token.
    public var onFlushed: ((_ token: UInt64, _ through: LogIndex) -> Void)?
    /// The log is poisoned. Called once.
    public var onFailure: ((StorageError) -> Void)?

    /// All entries up to here are stored, as far as the log still has them; 0 if none.
    public internal(set) var flushedIndex = LogIndex.zero
    /// The error that poisoned the log.
    public internal(set) var failure: StorageError?

    var index: SegmentIndex
    var ring: BlockRing
    var terms = TermStarts()
    let writer: SegmentWriter?
    let reader: SegmentReader
    let readExecutor: any StorageExecutor
    /// Truncations asked for; a report of the writer that has seen fewer speaks of entries that may be gone.
    var truncations = 0
    var hardStateCompletions: Deque<() -> Void> = []
    var closeCompletions: [() -> Void] = []

    init(
        _ recovery: Recovery, eventLoop: any EventLoop, writer: SegmentWriter?, readExecutor: any StorageExecutor,
        readHelpers: [any StorageExecutor]
    ) {
        options = recovery.options
        self.eventLoop = eventLoop
        self.recovery = recovery.summary
        self.writer = writer
        self.readExecutor = readExecutor
        hardState = recovery.state.hardState
        reader = SegmentReader(options: recovery.options, files: recovery.files, helpers: readHelpers)
        ring = BlockRing(payloadBytesMax: recovery.options.payloadBytesMax)
        index = SegmentIndex(tableBytesMax: recovery.options.tableBytesMax)
        terms = recovery.terms
        for segment in recovery.segments {
            index.add(segment.base, last: segment.last, end: segment.end, table: segment.table)
        }
        flushedIndex = index.lastIndex
    }

    /// Opens the log in `options.directory`, or creates it. Synchronous, with disk access: run it off the loop, or
    /// before the loop has other work.
    ///
    /// - Parameters:
    ///   - writer: runs all writes of this log, one at a time. May be shared by several logs.
    ///   - reader: runs cold reads, and what there is to do for segments that are complete and the next one.
    ///   - readHelpers: do parts of large reads when they have time. None of them may be the reader.
    /// - Throws: `StorageError.damaged` if entries that were stored once are damaged or missing (nothing is cut
    ///   off then, unless `acceptDataLoss` is set), `.locked`, `.wrongShard`, `.io`.
    public static func open(
        options: SegmentLogOptions, fileSystem: any FileSystem, eventLoop: any EventLoop,
        writer: any StorageExecutor, reader: any StorageExecutor, readHelpers: [any StorageExecutor] = []
    ) throws(StorageError) -> sending SegmentLog {
        var lock: (any FileLock)?
        if !options.readOnly {
            try fileSystem.createDirectory(options.directory)
            lock = try fileSystem.lock(LogLayout(directory: options.directory).lock)
        }
        var recovery = Recovery(options: options, files: fileSystem)
        try recovery.run()
        var segmentWriter: SegmentWriter?
        if !options.readOnly {
            let file = try fileSystem.open(recovery.layout.state, .readWrite)
            let state = StateFile(file: file, shard: options.shard, current: recovery.state)
            try state.hint(recovery.lastIndex)
            let housekeeping = Housekeeping(options, files: fileSystem, layout: recovery.layout, executor: reader)
            segmentWriter = try SegmentWriter(
                recovery: recovery, executor: writer, housekeeping: housekeeping, lock: lock, state: state)
        }
        segmentWriter?.submitHousekeeping()
        return SegmentLog(
            recovery, eventLoop: eventLoop, writer: segmentWriter, readExecutor: reader, readHelpers: readHelpers)
    }

    // MARK: What there is

    /// Index of the oldest entry; where an empty log begins, as far as that is known.
    public var firstIndex: LogIndex { index.firstIndex }
    /// Index of the newest entry, flushed or not; 0 if there is none.
    public var lastIndex: LogIndex { index.lastIndex }
    /// Term of the newest entry; 0 if there is none.
    public var lastTerm: Term { terms.last }
    /// Where each term begins, ascending; covers `firstIndex ... lastIndex`.
    public var termStarts: [(LogIndex, Term)] { terms.list }
    /// Bytes of the blocks in memory.
    public var ringBytes: Int { ring.bytes }
    /// First entry of the blocks in memory; nil if there are none.
    public var ringFirstIndex: LogIndex? { ring.first }

    // MARK: From the writer

    func submit(_ command: WriteCommand) {
        guard failure == nil, let writer else { return }
        writer.submit(command, report: reportToLoop)
    }

    /// Made once, since every command takes it along. It holds the log weakly, because the queue keeps it until the
    /// writer comes: a log that is dropped unclosed must be able to go.
    private lazy var reportToLoop: WriteQueue.Report = { [eventLoop] in
        let bound = NIOLoopBound(WeakReference(log: self), eventLoop: eventLoop)
        return { report in eventLoop.execute { bound.value.log?.groupEnded(report) } }
    }()

    private struct WeakReference {
        weak var log: SegmentLog?
    }

    func groupEnded(_ report: GroupReport) {
        defer { if report.isClosed { finishClosing() } }
        if let error = report.failure { return fail(error) }
        // A report from before a truncation says nothing about entries behind the cut; the truncation's own will.
        if report.truncations == truncations {
            flushedIndex = report.through
            index.cacheTables(storedThrough: flushedIndex)
        }
        for _ in 0 ..< report.hardStates { hardStateCompletions.popFirst()?() }
        if let token = report.token { onFlushed?(token, report.through) }
    }

    func fail(_ error: StorageError) {
        guard failure == nil else { return }
        failure = error
        hardStateCompletions = []
        onFailure?(error)
    }

    private func finishClosing() {
        let completions = closeCompletions
        closeCompletions = []
        for completion in completions { completion() }
    }
}
