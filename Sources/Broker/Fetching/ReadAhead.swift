import Basics

/// Tells where readers of the log go on, so that what they need next is on its way while they read.
///
/// Two loads, one behind the other, make a sequence. From then on the next load begins as soon as somebody reads what
/// the newest one has brought, so it is one load ahead and no more.
///
/// Owner: its `Shard`. Only a hint: a wrong one costs a load that nobody wanted.
struct ReadAhead {
    /// Where the newest load ended.
    private var end: LogIndex?
    /// Reading from `trigger` on calls for a load from `next` on.
    private var armed: (trigger: LogIndex, next: LogIndex)?

    /// A load has brought the entries `first ... last`.
    mutating func loaded(_ first: LogIndex, through last: LogIndex) {
        armed = end?.next == first ? (first, last.next) : nil
        end = last
    }

    /// Somebody reads `index`, which is in memory. Returns where to load from, once for each load.
    mutating func reading(_ index: LogIndex) -> LogIndex? {
        guard let armed, index >= armed.trigger, index < armed.next else { return nil }
        self.armed = nil
        return armed.next
    }
}
