import Basics
import RaftCore

/// The words of the golden traces: short, complete, and stable.
func describe(_ state: HardState) -> String {
    "term=\(state.term) vote=\(state.votedFor.map(\.description) ?? "-")"
}

func describe(_ blocks: [BlockInfo]) -> String {
    "[" + blocks.map { "\($0.base)-\($0.last)@\($0.term) \($0.bytes)B" }.joined(separator: ", ") + "]"
}

func describe(_ message: Message) -> String {
    switch message {
    case .preVoteRequest(let request): "preVoteRequest \(describe(request))"
    case .voteRequest(let request): "voteRequest \(describe(request))"
    case .preVoteResponse(let response): "preVoteResponse \(describe(response))"
    case .voteResponse(let response): "voteResponse \(describe(response))"
    case .appendRequest(let request):
        "appendRequest term=\(request.term) epoch=\(request.epoch) "
            + "previous=\(request.previousIndex)@\(request.previousTerm) commit=\(request.commit)"
            + (request.round > 0 ? " round=\(request.round)" : "")
            + (request.blocks.isEmpty ? "" : " \(describe(request.blocks))")
    case .appendResponse(let response):
        "appendResponse term=\(response.term) epoch=\(response.epoch) "
            + (response.round > 0 ? "round=\(response.round) " : "") + describe(response.outcome)
    }
}

private func describe(_ request: VoteRequest) -> String {
    "term=\(request.term) last=\(request.lastIndex)@\(request.lastTerm)"
}

private func describe(_ response: VoteResponse) -> String {
    "term=\(response.term) \(response.granted ? "granted" : "refused")"
}

private func describe(_ outcome: AppendResponse.Outcome) -> String {
    switch outcome {
    case .matched(let flushed): "matched flushed=\(flushed)"
    case .conflict(let rejected, let hintIndex, let hintTerm):
        "conflict rejected=\(rejected) hint=\(hintIndex)@\(hintTerm)"
    }
}

/// Nil for what the trace shows elsewhere: the driver proposes the no-op at once.
func describe(_ action: Action) -> String? {
    switch action {
    case .persist(let state): "persist \(describe(state))"
    case .appendProposed(let epoch, let blocks): "append epoch=\(epoch) \(describe(blocks))"
    case .appendReceived(let epoch, let blocks): "append epoch=\(epoch) \(describe(blocks))"
    case .truncate(let index, let epoch): "truncate from=\(index) epoch=\(epoch)"
    case .send(let peer, let message): "-> \(peer): \(describe(message))"
    case .readBlocks(let peer, let epoch, let from, let maxBytes):
        "read for \(peer) epoch=\(epoch) from=\(from) max=\(maxBytes)B"
    case .commit(let index): "commit through=\(index)"
    case .proposeNoop: nil
    case .statusChanged(let status):
        "is \(status.role) term=\(status.term) leader=\(status.leader.map(\.description) ?? "-")"
    case .proposalRejected(let leader): "proposal rejected leader=\(leader.map(\.description) ?? "-")"
    case .leadershipVerified(let id): "leadership verified id=\(id)"
    case .verificationFailed(let id): "verification failed id=\(id)"
    }
}
