import Basics

extension Message {
    /// Whether the numbers can be those of a cluster that works. A peer's bytes are input like any other: a message
    /// that contradicts itself is dropped before it reaches an invariant or overflows an index.
    var isWellFormed: Bool {
        switch self {
        case .preVoteRequest(let request), .voteRequest(let request):
            request.term.isPlausible && request.lastIndex.isPlausible && request.lastTerm < request.term
        case .preVoteResponse(let response), .voteResponse(let response):
            response.term.isPlausible
        case .appendRequest(let request):
            request.isWellFormed
        case .appendResponse(let response):
            response.term.isPlausible
        }
    }
}

extension Term {
    fileprivate var isPlausible: Bool { rawValue < 1 << 62 }
}

extension LogIndex {
    fileprivate var isPlausible: Bool { rawValue < 1 << 62 }
}

extension AppendRequest {
    /// Consecutive blocks whose terms never fall and never pass the leader's.
    fileprivate var isWellFormed: Bool {
        guard term > .zero, term.isPlausible, previousIndex.isPlausible, previousTerm <= term else { return false }
        var lastIndex = previousIndex
        var lastTerm = previousTerm
        for block in blocks {
            guard block.base == lastIndex.next, block.count > 0, block.count < 1 << 31, block.bytes >= 0,
                block.bytes < 1 << 40, block.term >= lastTerm, block.term <= term
            else { return false }
            lastIndex = block.last
            lastTerm = block.term
        }
        return lastIndex.isPlausible
    }
}
