import Basics
import DequeModule
import NIOCore

/// How far consumers that read old records give way to producers.
public struct ColdReadConfiguration: Hashable, Sendable {
    /// While producers keep the broker busy, this many bytes are read from disk for each hundred produced; 0 for as
    /// many as consumers ask for.
    public var percent = 33
    /// The broker is busy when its event loop is this late with what was due, on average.
    public var latenessMax = TimeSpan.microseconds(150)
    /// Bytes that may be read before producers have earned them: what a few loads take.
    public var savedBytesMax = 8.mebibytes
    /// Nobody waits longer for his turn.
    public var waitMax = TimeSpan.seconds(1)

    public init() {}
}

/// Lets loads from disk wait while producers have need of the broker.
///
/// Consumers that are far behind read as fast as they can, and what they read costs the loop and the machine half of
/// what as much produced would. So while records come in and the loop is late with its timers, loads are given a share
/// of what is produced. A broker with time to spare holds nobody back.
///
/// Owner: the broker, on the event loop. Bounded by the fetches that wait for a block.
final class ColdReadPacer {
    /// One load's permission to begin; given back with `finished`.
    struct Turn {
        /// What was set aside for it; 0 when loads were free.
        fileprivate let reserved: Int
    }

    private struct Waiting {
        let bytes: Int
        let since: NIODeadline
        let begin: (Turn) -> Void
    }

    private static let sampleInterval = TimeAmount.milliseconds(5)
    /// Producers that have been quiet for so long, and readers too, are gone.
    private static let memory = TimeAmount.milliseconds(100)

    private let configuration: ColdReadConfiguration
    private let loop: any EventLoop
    private var credit: Int
    private var reserved = 0
    private var waiting: Deque<Waiting> = []
    private var lateness = TimeSpan.zero
    private var lastProduced: NIODeadline?
    private var lastLoad = NIODeadline.uptimeNanoseconds(0)
    private var timer: Scheduled<Void>?

    init(_ configuration: ColdReadConfiguration, eventLoop: any EventLoop) {
        self.configuration = configuration
        credit = configuration.savedBytesMax
        loop = eventLoop
    }

    /// Number of loads that wait for their turn.
    var waitingCount: Int { waiting.count }

    /// Calls back when a load of about so many bytes may begin: at once, unless producers come first.
    func requestTurn(for bytes: Int, _ begin: @escaping (Turn) -> Void) {
        lastLoad = loop.now
        watch()
        if !isHoldingBack {
            begin(Turn(reserved: 0))
        } else if waiting.isEmpty, hasCredit {
            begin(reserve(bytes))
        } else {
            waiting.append(Waiting(bytes: bytes, since: loop.now, begin: begin))
        }
    }

    /// The load is over, and has brought so many bytes.
    func finished(_ turn: Turn, bytes: Int) {
        guard turn.reserved > 0 else { return }
        reserved -= turn.reserved
        // Who had to be let in without credit leaves a debt, which must not be paid for long.
        credit = max(credit - bytes, -configuration.savedBytesMax)
        giveTurns()
    }

    /// So many bytes were produced.
    func produced(_ bytes: Int) {
        guard bytes > 0, configuration.percent > 0 else { return }
        lastProduced = loop.now
        credit = min(credit + bytes * configuration.percent / 100, configuration.savedBytesMax)
        giveTurns()
    }

    /// Drops who waits, and with them what they hold.
    func shutdown() {
        waiting = []
        timer?.cancel()
    }

    // MARK: Turns

    private var hasCredit: Bool { credit > reserved }

    private var isHoldingBack: Bool {
        guard configuration.percent > 0, let lastProduced, loop.now - lastProduced < Self.memory else { return false }
        return lateness >= configuration.latenessMax
    }

    private func reserve(_ bytes: Int) -> Turn {
        reserved += bytes
        return Turn(reserved: bytes)
    }

    /// In the order of asking.
    private func giveTurns() {
        while let first = waiting.first {
            if !isHoldingBack {
                waiting.removeFirst()
                first.begin(Turn(reserved: 0))
            } else if hasCredit || loop.now - first.since >= .nanoseconds(configuration.waitMax.nanoseconds) {
                waiting.removeFirst()
                first.begin(reserve(first.bytes))
            } else {
                return
            }
        }
    }

    // MARK: How late the loop is

    private func watch() {
        guard timer == nil, configuration.percent > 0 else { return }
        let due = loop.now + Self.sampleInterval
        timer = loop.assumeIsolated().scheduleTask(deadline: due) { [weak self] in self?.sample(due: due) ?? () }
    }

    private func sample(due: NIODeadline) {
        timer = nil
        observe(lateness: TimeSpan(nanoseconds: (loop.now - due).nanoseconds))
        giveTurns()
        if !waiting.isEmpty || loop.now - lastLoad < Self.memory { watch() }
    }

    /// A moving average over some eight samples, since single turns of the loop are long now and then.
    func observe(lateness sample: TimeSpan) { lateness = lateness + (sample - lateness) / 8 }
}
