import Basics

/// Questions whether a leader still leads, answered together in rounds (Raft thesis §6.4, step 2).
///
/// A quorum that answers in the leader's term to something sent after the question proves that no newer leader had been
/// elected when the question came. All questions that arrive while a round is under way wait for the next one, so the
/// number of rounds is bounded by round trips and not by readers. Owned by `Leader`; the waiting list is bounded by the
/// driver, which asks.
struct VerificationRounds: Sendable {
    private struct Waiting: Sendable {
        var id: UInt64
        var round: UInt64
    }

    /// The newest round begun; every append request carries it.
    private(set) var current: UInt64 = 0
    private var answered: UInt64 = 0
    private var waiting: [Waiting] = []

    var ids: [UInt64] { waiting.map(\.id) }

    mutating func ask(_ id: UInt64) {
        waiting.append(Waiting(id: id, round: current + 1))
    }

    /// Begins a round if a question waits for one and none is under way; `force` begins it even so, for the case that
    /// the messages of the one under way were lost. True when heartbeats must go out now.
    mutating func begin(force: Bool) -> Bool {
        guard let newest = waiting.last, newest.round > current, force || answered == current else { return false }
        current += 1
        return true
    }

    /// Takes the round that a quorum has answered, and returns the questions this settles.
    mutating func settle(through round: UInt64) -> [UInt64] {
        guard round > answered else { return [] }
        invariant(round <= current, "round \(round) answered, \(current) begun")
        answered = round
        let settled = waiting.prefix { $0.round <= round }.map(\.id)
        waiting.removeFirst(settled.count)
        return settled
    }
}
