import Basics
import NIOCore

/// What an applied command came to: where it stands in the log, and the state machine's answer.
public struct Applied<Response: Sendable>: Sendable {
    public var index: LogIndex
    public var response: Response

    public init(index: LogIndex, response: Response) {
        self.index = index
        self.response = response
    }
}

/// The pending result of `Raft.apply` (hashicorp/raft's `ApplyFuture`). Any number of tasks may await it.
///
/// Owner of the state: the node's event loop. Everybody else hops there, so there is no lock.
public final class ApplyFuture<Response: Sendable>: Sendable {
    public typealias Outcome = Result<Applied<Response>, RaftError>

    private final class State {
        var outcome: Outcome?
        var waiting: [(Outcome) -> Void] = []
    }

    private let loop: any EventLoop
    private let state: NIOLoopBoundBox<State>

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
    public func whenComplete(_ body: @escaping (Outcome) -> Void) {
        let state = state.value
        if let outcome = state.outcome {
            body(outcome)
        } else {
            state.waiting.append(body)
        }
    }

    func resolve(_ outcome: Outcome) {
        let state = state.value
        invariant(state.outcome == nil, "a future resolves once")
        state.outcome = outcome
        let waiting = state.waiting
        state.waiting = []
        for body in waiting { body(outcome) }
    }
}
