import SegmentLog

/// Decides which blocks are worth an attempt at compressing them: while blocks shrink, all of them; after one that did
/// not, the next ones go as they are, twice as many after each further failure, up to `skipsMax`. What is tried then is
/// a sample of one block.
///
/// So data that does not compress costs next to nothing, and a producer that begins to send something else is noticed
/// within sixteen blocks (4 MiB).
///
/// Owner: an `OrderedEncoder`, on the event loop.
struct CompressionBackoff {
    static let skipsMax = 15

    /// Blocks skipped after the next failure; 0 while blocks shrink.
    private var penalty = 0
    private var skipsLeft = 0

    /// What to try with the next block; nil for nothing.
    mutating func next() -> CompressionAttempt? {
        guard penalty > 0 else { return .whole }
        guard skipsLeft > 0 else { return .sample }
        skipsLeft -= 1
        return nil
    }

    /// What became of a block that was tried.
    mutating func record(didShrink: Bool) {
        penalty = didShrink ? 0 : min(2 * penalty + 1, Self.skipsMax)
        skipsLeft = penalty
    }
}
