import Basics
import KafkaWire

/// What the leader of a classic group remembers of the generation that it leads.
struct LedGeneration {
    let members: [JoinGroupResponse.Member]
    /// What is to be assigned.
    let wanted: [Lane]
    /// The generation has its assignment from the leader's former self.
    let isInherited: Bool
    /// When the owner of something that was withheld should have given it up: it may have come back as another process
    /// that does not know of it.
    let patienceEnd: Instant

    /// Whether the leader should join again, since there is something else to assign, or since its former self made the
    /// assignment and it does not know what the others got then.
    func isOutdated(_ wanted: [Lane], now: Instant) -> Bool {
        isInherited || wanted != self.wanted || patienceEnd <= now
    }
}
