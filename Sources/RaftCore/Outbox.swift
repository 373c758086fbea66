import Basics

/// The way out of the core: keeps a server from saying anything its stable storage does not know yet.
///
/// A vote or a term that was spoken and then forgotten in a crash lets two leaders exist in one term. So while the
/// newest hard state is on its way to stable storage, every message waits here. Owned by `Replica`. Bounded: at most
/// one message of each kind waits for each peer.
struct Outbox: Sendable {
    private struct Held: Sendable {
        var to: NodeID
        var message: Message
    }

    private(set) var hardState: HardState
    private var persisted: HardState
    private var held: [Held] = []
    private var actions: [Action] = []

    /// `persisted` is what recovery found; `hardState` may already be ahead of it.
    init(persisted: HardState, hardState: HardState) {
        self.persisted = persisted
        self.hardState = hardState
        if hardState != persisted { actions.append(.persist(hardState)) }
    }

    /// Whether everything this server has decided is on stable storage.
    var isDurable: Bool { hardState == persisted }

    mutating func emit(_ action: Action) {
        if case .send = action { invariant(isDurable, "message past the gate: \(action)") }
        actions.append(action)
    }

    mutating func send(_ message: Message, to peer: NodeID) {
        guard !isDurable else { return emit(.send(to: peer, message)) }
        // The newer message of a kind says all that the older one did, and a lost one is repeated by its sender.
        held.removeAll { $0.to == peer && $0.message.kind == message.kind }
        held.append(Held(to: peer, message: message))
    }

    mutating func change(to state: HardState) {
        invariant(state.term >= hardState.term, "term \(state.term) after \(hardState.term)")
        invariant(
            state.term > hardState.term || hardState.votedFor == nil,
            "a second vote in term \(state.term): \(hardState) to \(state)")
        // What an older term wanted to say would be refused by whoever gets it.
        if state.term > hardState.term { held.removeAll() }
        hardState = state
        emit(.persist(state))
    }

    /// Releases what waited, if `state` is the newest. False when a newer one is still on its way.
    mutating func persisted(_ state: HardState) -> Bool {
        guard state == hardState, !isDurable else { return false }
        persisted = state
        for item in held { emit(.send(to: item.to, item.message)) }
        held.removeAll()
        return true
    }

    /// Forgets what waited: this server will never speak again.
    mutating func silence() { held.removeAll() }

    mutating func drain(into target: inout [Action]) {
        target.append(contentsOf: actions)
        actions.removeAll(keepingCapacity: true)
    }
}

extension Message {
    fileprivate enum Kind {
        case preVoteRequest, preVoteResponse, voteRequest, voteResponse, appendRequest, appendResponse
    }

    fileprivate var kind: Kind {
        switch self {
        case .preVoteRequest: .preVoteRequest
        case .preVoteResponse: .preVoteResponse
        case .voteRequest: .voteRequest
        case .voteResponse: .voteResponse
        case .appendRequest: .appendRequest
        case .appendResponse: .appendResponse
        }
    }
}
