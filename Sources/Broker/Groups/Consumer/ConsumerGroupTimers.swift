import Basics
import NIOCore

/// Until when members of the new protocol have to show that they are alive, and that they gave up what they were asked
/// for.
///
/// Owner: the `ConsumerGroupCoordinator`, on the event loop. Volatile: a new leader gives everybody a fresh time.
/// Bounded by the members of the shard's groups.
struct ConsumerGroupTimers {
    /// A member whose time is up, in the epoch in which that was found.
    struct Overdue: Hashable {
        var groupID: String
        var memberID: String
        var epoch: Int32
    }

    private struct Timer {
        let epoch: Int32
        /// Members of the classic protocol bring their own.
        let sessionTimeout: TimeAmount
        var session: NIODeadline
        /// While the member has something to give up.
        var revocation: NIODeadline?
        var revocationBegan: NIODeadline?

        init(_ member: ConsumerGroupMember, _ sessionTimeout: TimeAmount, now: NIODeadline) {
            epoch = member.epoch
            self.sessionTimeout = member.classic.map { .milliseconds(Int64($0.sessionTimeout)) } ?? sessionTimeout
            session = now + self.sessionTimeout
        }
    }

    private let sessionTimeout: TimeAmount
    private var timers: [String: [String: Timer]] = [:]
    /// Nobody's time is up before; may be earlier than needed, never later.
    private(set) var next = NIODeadline.distantFuture

    init(sessionTimeout: TimeAmount) { self.sessionTimeout = sessionTimeout }

    /// The group may have changed. A new epoch is a new life: a member gets one only by a heartbeat of its own, or when
    /// it leaves for a while.
    mutating func observe(_ groupID: String, _ group: ConsumerGroup?, now: NIODeadline) {
        guard let group, !group.isEmpty else {
            timers[groupID] = nil
            return
        }
        let before = timers[groupID] ?? [:]
        timers[groupID] = group.members.mapValues { member in
            var timer = before[member.id] ?? Timer(member, sessionTimeout, now: now)
            if timer.epoch != member.epoch { timer = Timer(member, sessionTimeout, now: now) }
            if !group.mustGiveUp(member) {
                timer.revocation = nil
                timer.revocationBegan = nil
            } else if timer.revocation == nil {
                timer.revocationBegan = now
                timer.revocation = now + .milliseconds(Int64(member.rebalanceTimeout))
            }
            note(timer)
            return timer
        }
    }

    /// The member showed that it is alive.
    mutating func touch(_ groupID: String, _ memberID: String, now: NIODeadline) {
        guard let timeout = timers[groupID]?[memberID]?.sessionTimeout else { return }
        timers[groupID]?[memberID]?.session = now + timeout
    }

    /// Since when the members have something to give up that have.
    func revocations(in groupID: String) -> [String: NIODeadline] {
        timers[groupID]?.compactMapValues(\.revocationBegan) ?? [:]
    }

    /// The members whose time is up. They are named again a second later, unless they are gone by then.
    mutating func overdue(now: NIODeadline) -> [Overdue] {
        guard next <= now else { return [] }
        next = .distantFuture
        var overdue: [Overdue] = []
        for groupID in timers.keys.sorted() {
            for (memberID, timer) in (timers[groupID] ?? [:]).sorted(by: { $0.key < $1.key }) {
                var timer = timer
                if timer.session <= now || timer.revocation.map({ $0 <= now }) ?? false {
                    overdue.append(Overdue(groupID: groupID, memberID: memberID, epoch: timer.epoch))
                    timer.session = max(timer.session, now + .seconds(1))
                    timer.revocation = timer.revocation.map { max($0, now + .seconds(1)) }
                    timers[groupID]?[memberID] = timer
                }
                note(timer)
            }
        }
        return overdue
    }

    private mutating func note(_ timer: Timer) {
        next = min(next, timer.session, timer.revocation ?? .distantFuture)
    }
}
