import Basics
import NIOCore
import Synchronization

/// What the loop asks of the writer; executed in order.
enum WriteCommand: Sendable {
    case append(Append)
    case truncate(Truncation)
    case saveHardState(HardStateRecord)
    /// These segments go; `first` is the oldest one that stays.
    case reclaim([LogIndex], first: LogIndex)
    case close

    /// Begins segment `base`. The active one, if any, is complete: `sealing` is its table.
    struct Roll: Sendable {
        var base: LogIndex
        var sealing: SegmentTable?
    }

    struct Append: Sendable {
        /// Set when the block is the first of a segment. No command of its own: a group that ended with it would leave
        /// a segment without a block, which recovery takes for damage.
        var roll: Roll?
        var position: Int
        var bytes: BufferChain
        var last: LogIndex
        var token: UInt64
    }

    struct Truncation: Sendable {
        /// Newest first.
        var dropped: [LogIndex]
        /// The segment that is cut and becomes the active one; nil when the log is empty now.
        var kept: LogIndex?
        var position: Int
        var last: LogIndex
    }
}

/// What the writer tells the loop after each group commit.
struct GroupReport: Sendable {
    /// The token of the newest append that is stored now, and how far the log is stored.
    var token: UInt64?
    var through = LogIndex.zero
    /// How many truncations were executed, this group's included, since the log was opened.
    var truncations = 0
    /// How many hard states were made durable.
    var hardStates = 0
    var isClosed = false
    var failure: StorageError?
}

/// The mailbox between a log's loop and its writer. Bounded by what the driver lets a log have unflushed.
final class WriteQueue: Sendable {
    typealias Report = @Sendable (GroupReport) -> Void

    private struct State {
        var commands: [WriteCommand] = []
        var report: Report?
        var isScheduled = false
        /// Somebody wanted a job while one was under way, which may have looked already.
        var wantsAnother = false
    }

    private let state = Mutex(State())

    /// Adds a command; true if the caller must submit a job that drains the queue.
    func push(_ command: WriteCommand, report: @escaping Report) -> Bool {
        state.withLock { state in
            state.commands.append(command)
            state.report = report
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
    }

    /// Asks for a job although there is no command; true if the caller must submit it.
    func schedule() -> Bool {
        state.withLock { state in
            state.wantsAnother = state.isScheduled
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
    }

    /// Puts the next group into `group`, which must be empty and whose memory the queue goes on with: all that waits,
    /// but no more than `SegmentLogOptions.groupBytesMax` of blocks unless one is larger.
    func takeGroup(into group: inout [WriteCommand]) -> Report? {
        // Not what `withLock` returns: a closure that passes through a generic function is wrapped twice.
        var report: Report?
        state.withLock { state in
            invariant(group.isEmpty, "a group is taken before the last one is done")
            swap(&state.commands, &group)
            report = state.report
            let count = Self.groupCount(group)
            if count < group.count {
                state.commands.append(contentsOf: group[count...])
                group.removeSubrange(count...)
            } else {
                // Holding on to the report would hold on to the log.
                state.report = nil
            }
        }
        return report
    }

    /// How many of the commands are one group commit.
    private static func groupCount(_ commands: [WriteCommand]) -> Int {
        var bytes = 0
        for (position, command) in commands.enumerated() {
            guard case .append(let append) = command else { continue }
            let more = append.bytes.byteCount
            if bytes > 0, bytes + more > SegmentLogOptions.groupBytesMax { return position }
            bytes += more
        }
        return commands.count
    }

    /// Ends a job; true if another one is needed.
    func endJob(hasMore: Bool) -> Bool {
        state.withLock { state in
            state.isScheduled = hasMore || state.wantsAnother || !state.commands.isEmpty
            state.wantsAnother = false
            return state.isScheduled
        }
    }
}
