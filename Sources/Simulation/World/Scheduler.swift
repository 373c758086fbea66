import Basics
import HeapModule

/// What happens in a simulated world, in one order that depends on its seed alone: events by time, and by arrival
/// among those of the same time. Nothing runs in between, and no real time passes.
///
/// Owner: the thread that runs the world; everything simulated runs inside `run`. `@unchecked Sendable`, because the
/// code under simulation hands its callbacks to loops and executors as `@Sendable`; there is only one thread.
public final class Scheduler: @unchecked Sendable {
    private struct Event: Comparable {
        let time: Instant
        let sequence: UInt64
        let life: Life?
        let kind: EventKind
        /// Whether it was due in a pause.
        let isLate: Bool
        let body: () -> Void

        static func < (a: Event, b: Event) -> Bool { (a.time, a.sequence) < (b.time, b.sequence) }
        static func == (a: Event, b: Event) -> Bool { a.sequence == b.sequence }
    }

    public private(set) var now = Instant.zero
    /// Events run so far.
    public private(set) var steps: UInt64 = 0
    /// Changes with every event's time and order: two runs of one world have the same.
    public private(set) var traceHash: UInt64 = 0xCBF2_9CE4_8422_2325
    /// Called after everything that a process did.
    var onStep: ((Life) -> Void)?
    private var events = Heap<Event>()
    private var lastSequence: UInt64 = 0

    public init() {}

    /// Runs `body` after `delay`, unless `life` has ended by then; while it is paused, after the pause.
    public func after(
        _ delay: TimeSpan, for life: Life? = nil, as kind: EventKind = .task, _ body: @escaping () -> Void
    ) {
        at(now + max(delay, .zero), for: life, as: kind, body)
    }

    public func at(
        _ time: Instant, for life: Life? = nil, as kind: EventKind = .task, _ body: @escaping () -> Void
    ) {
        lastSequence += 1
        events.insert(
            Event(time: max(time, now), sequence: lastSequence, life: life, kind: kind, isLate: false, body: body))
    }

    /// Puts an event off until the process goes on. It keeps its place among those that are put off with it.
    private func putOff(_ event: Event, of life: Life) {
        let time = life.pausedUntil + event.kind.delay(after: life.pausedUntil)
        events.insert(
            Event(
                time: max(time, now), sequence: event.sequence, life: life, kind: event.kind, isLate: true,
                body: event.body))
    }

    /// Runs everything due up to `end`, and stops early when `shouldStop` says so.
    public func run(until end: Instant, unless shouldStop: () -> Bool = { false }) {
        while !shouldStop(), let next = events.min, next.time <= end {
            events.removeMin()
            now = next.time
            run(next)
        }
        now = max(now, end)
    }

    /// Forgets all events, which hold the parts of their world.
    func clear() { events = Heap() }

    private func run(_ event: Event) {
        if let life = event.life {
            guard life.isAlive else { return }
            if life.pausedUntil > now || (!event.isLate && life.hasBacklog(at: now)) {
                return putOff(event, of: life)
            }
        }
        steps += 1
        note(UInt64(bitPattern: event.time.nanoseconds))
        note(event.sequence)
        event.body()
        if let life = event.life { onStep?(life) }
    }

    /// Mixes a fact of the world into the trace.
    public func note(_ fact: UInt64) {
        traceHash = (traceHash ^ fact) &* 0x0000_0100_0000_01B3
    }
}

/// What an event is to the process that it happens to. It decides what comes first when the process goes on after a
/// pause: an event loop then finds everything at once, looks at its connections in an order that nobody knows, and at
/// its timers behind that.
public enum EventKind: Hashable, Sendable {
    case task
    /// Something that arrives over a connection, behind all that arrived there before.
    case message(connection: UInt64)
    case timer

    fileprivate static let backlogSpan = TimeSpan(nanoseconds: 1_001)

    fileprivate func delay(after pause: Instant) -> TimeSpan {
        switch self {
        case .task: .zero
        case .message(let connection):
            TimeSpan(
                nanoseconds: Int64(
                    ((connection ^ UInt64(bitPattern: pause.nanoseconds)) &* 0x9E37_79B9_7F4A_7C15) >> 32 % 1_000))
        case .timer: Self.backlogSpan
        }
    }
}

/// One run of a simulated process, from its start to its end. What it scheduled dies with it.
public final class Life {
    public private(set) var isAlive = true
    public private(set) var pausedUntil = Instant.zero
    /// When the loop hears of what a storage thread of this process does now; in the past while none does anything.
    private(set) var newsAt = Instant.zero

    public init() {}

    public func end() { isAlive = false }

    /// Does a job of a storage thread that is done at `end`.
    func delayNews(until end: Instant, of job: () -> Void) {
        newsAt = end
        job()
        newsAt = .zero
    }

    public func pause(until time: Instant) { pausedUntil = max(pausedUntil, time) }

    /// Whether what came in the last pause is worked off now.
    fileprivate func hasBacklog(at now: Instant) -> Bool {
        pausedUntil > .zero && now < pausedUntil + EventKind.backlogSpan
    }
}
