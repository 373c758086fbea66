import Basics

/// Collects the outcomes of several commands that were proposed for one request, and finishes when it has all.
///
/// Owner: the closures of the commands under way, on the broker's event loop.
final class Gathering<Outcome> {
    private var outcomes: [Outcome?]
    private var missing: Int
    private let completion: ([Outcome]) -> Void

    /// With nothing to wait for, completes at once.
    init(count: Int, completion: @escaping ([Outcome]) -> Void) {
        outcomes = Array(repeating: nil, count: count)
        missing = count
        self.completion = completion
        if count == 0 { completion([]) }
    }

    func set(_ position: Int, _ outcome: Outcome) {
        invariant(outcomes[position] == nil, "each command has one outcome")
        outcomes[position] = outcome
        missing -= 1
        if missing == 0 { completion(outcomes.compactMap { $0 }) }
    }
}
