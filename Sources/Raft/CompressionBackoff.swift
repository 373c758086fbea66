/// Decides which blocks are worth an attempt at compressing them: while blocks shrink, all of them; after one that did
/// not, the next ones go as they are, twice as many after each further failure, up to `skipsMax`.
///
/// So data that does not compress costs a sixteenth of the attempts, and a producer that begins to send something else
/// is noticed within sixteen blocks (4 MiB).
///
/// Owner: a `GroupEncoder`, on the event loop.
struct CompressionBackoff {
    static let skipsMax = 15

    /// Blocks skipped after the next failure.
    private var penalty = 1
    private var skipsLeft = 0

    /// Whether to try the next block.
    mutating func shouldTry() -> Bool {
        guard skipsLeft > 0 else { return true }
        skipsLeft -= 1
        return false
    }

    /// What became of a block that was tried.
    mutating func record(didShrink: Bool) {
        if didShrink {
            penalty = 1
            skipsLeft = 0
        } else {
            skipsLeft = penalty
            penalty = min(2 * penalty + 1, Self.skipsMax)
        }
    }
}
