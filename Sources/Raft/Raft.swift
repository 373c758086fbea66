import Basics
import Logging
import NIOCore
import RaftCore
import SegmentLog

/// One member of a Raft group: the door for callers on any task or thread (hashicorp/raft's `Raft`).
///
/// ```swift
/// let raft = try await Raft.start(configuration, fsm: Counter(), on: loop) { ... }
/// let applied = try await raft.apply(ByteBuffer(string: "add 3")).value
/// print(applied.index, applied.response)
/// ```
///
/// All work happens on the event loop given at the start; `node` is what runs there.
public final class Raft<Machine: FSM>: Sendable {
    @usableFromInline let loop: any EventLoop
    @usableFromInline let bound: NIOLoopBound<RaftNode<Machine>>

    private init(_ node: RaftNode<Machine>, on loop: any EventLoop) {
        self.loop = loop
        bound = NIOLoopBound(node, eventLoop: loop)
    }

    /// Builds the parts on the event loop that will own them, and begins to take part.
    ///
    /// - Parameter assemble: called on the loop; returns the node's state machine, log and transport.
    public static func start(
        _ configuration: RaftConfiguration,
        on loop: any EventLoop,
        encoderThreads: [any StorageExecutor],
        logger: Logger,
        assemble: @escaping @Sendable () throws -> (machine: Machine, log: any BlockLog, transport: any Transport)
    ) async throws -> Raft<Machine> {
        try await loop.submit {
            let parts = try assemble()
            let node = RaftNode(
                configuration: configuration, machine: parts.machine, log: parts.log, transport: parts.transport,
                encoderThreads: encoderThreads, eventLoop: loop, logger: logger)
            node.start()
            return Raft(node, on: loop)
        }.get()
    }

    /// Proposes a command and returns at once. The future resolves when the command is committed on a quorum, flushed
    /// there, and applied here; or with the reason why not.
    @inlinable
    public func apply(_ command: ByteBuffer) -> ApplyFuture<Machine.Response> {
        propose(.command, payload: command)
    }

    /// Resolves when everything proposed before it has been applied here (hashicorp/raft's `Barrier`).
    @inlinable
    public func barrier() -> ApplyFuture<Machine.Response> {
        propose(.barrier, payload: ByteBuffer())
    }

    @inlinable
    func propose(_ type: EntryType, payload: ByteBuffer) -> ApplyFuture<Machine.Response> {
        let future = ApplyFuture<Machine.Response>(on: loop)
        if loop.inEventLoop {
            Self.propose(type, payload, to: bound.value, future)
        } else {
            loop.execute { [bound] in Self.propose(type, payload, to: bound.value, future) }
        }
        return future
    }

    @inlinable
    static func propose(
        _ type: EntryType, _ payload: ByteBuffer, to node: RaftNode<Machine>, _ future: ApplyFuture<Machine.Response>
    ) {
        node.propose(type: type, head: ByteBuffer(), payload: payload) { result in
            future.resolve(result.map { Applied(index: $0, response: node.response(at: $0)) })
        }
    }

    /// Asks a quorum whether this node still leads (hashicorp/raft's `VerifyLeader`).
    public func verifyLeader() async throws(RaftError) {
        let result: Result<Void, RaftError> = await withCheckedContinuation { continuation in
            onLoop { node in node.verifyLeader { continuation.resume(returning: $0) } }
        }
        try result.get()
    }

    /// Role, term and leader as this node knows them.
    public var status: Status {
        get async { await read { $0.status } }
    }

    /// Reads from the node and its state machine, on their loop.
    public func read<Value: Sendable>(_ body: @escaping @Sendable (RaftNode<Machine>) -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            onLoop { node in continuation.resume(returning: body(node)) }
        }
    }

    /// Hands the node what a transport received for it, in a later turn of the loop: a transport that delivers while
    /// the sender is at work, on the same loop, would otherwise come back to it in the middle of a step.
    public func receive(_ message: PeerMessage, from peer: NodeID) {
        loop.execute { [bound] in bound.value.receive(message, from: peer) }
    }

    /// Stops taking part; what waits fails with `RaftError.shutdown`.
    public func shutdown() async {
        await read { $0.shutdown() }
    }

    private func onLoop(_ body: @escaping @Sendable (RaftNode<Machine>) -> Void) {
        if loop.inEventLoop {
            body(bound.value)
        } else {
            loop.execute { [bound] in body(bound.value) }
        }
    }
}
