/// A regular expression as a tree. Which of several matches is preferred, and what groups capture, is left out: the
/// only question is whether a whole name matches.
indirect enum PatternNode: Hashable {
    /// One character of the set.
    case character(ASCIISet)
    case assertion(PatternAssertion)
    /// All in a row; with none, the empty text.
    case sequence([PatternNode])
    case alternatives([PatternNode])
    /// `max` is nil without an upper bound.
    case repetition(PatternNode, min: Int, max: Int?)
}

/// What holds between two characters.
enum PatternAssertion: Hashable {
    case begin, end, wordBoundary, noWordBoundary
}

/// Why a regular expression is not accepted.
public struct PatternError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
