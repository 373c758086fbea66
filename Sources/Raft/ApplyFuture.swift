import Basics
import NIOCore

/// What an applied command came to: where it stands in the log, and the state machine's answer.
public struct Applied<Response: Sendable>: Sendable {
    public var index: LogIndex
    public var response: Response

    @inlinable
    public init(index: LogIndex, response: Response) {
        self.index = index
        self.response = response
    }
}

/// The pending result of `Raft.apply` (hashicorp/raft's `ApplyFuture`). Any number of tasks may await it.
///
/// Owner of the state: the node's event loop. Everybody else hops there, so there is no lock. Inlinable, as there is
/// one for each command: what is compiled for every response at once looks up types and allocates in each step.
public final class ApplyFuture<Response: Sendable>: Sendable {
    public typealias Outcome = Result<Applied<Response>, RaftError>

    @usableFromInline
    struct State {
        @usableFromInline var outcome: Outcome?
        /// Most often there is one; more wait in `others`.
        @usableFromInline var first: ((Outcome) -> Void)?
        @usableFromInline var others: [(Outcome) -> Void] = []

        @inlinable
        init() {}
    }

    @usableFromInline let loop: any EventLoop
    @usableFromInline let state: NIOLoopBoundBox<State>

    @inlinable
    init(on loop: any EventLoop) {
        self.loop = loop
        state = NIOLoopBoundBox.makeBoxSendingValue(State(), eventLoop: loop)
    }

    /// The index and the response, once the command is committed and applied.
    public var value: Applied<Response> {
        get async throws(RaftError) {
            let outcome: Outcome = await withCheckedContinuation { continuation in
                loop.execute { self.whenComplete { continuation.resume(returning: $0) } }
            }
            return try outcome.get()
        }
    }

    /// Calls back on the node's event loop, at once if the outcome is known. Must be called on that loop.
    @inlinable
    public func whenComplete(_ body: @escaping (Outcome) -> Void) {
        if let outcome = state.value.outcome {
            body(outcome)
        } else if state.value.first == nil {
            state.value.first = body
        } else {
            state.value.others.append(body)
        }
    }

    @inlinable
    func resolve(_ outcome: Outcome) {
        invariant(state.value.outcome == nil, "a future resolves once")
        let first = state.value.first, others = state.value.others
        state.value = State()
        state.value.outcome = outcome
        first?(outcome)
        for body in others { body(outcome) }
    }
}
