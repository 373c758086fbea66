import Basics
import KafkaWire
import NIOCore

/// One client's connection as the broker sees it: its place in the order of answers, and a way to end it.
///
/// Owner: the network handler that made it, on the event loop. The broker keeps it only while a request is under way.
public final class ClientConnection {
    public internal(set) var responses = ResponseQueue()
    public private(set) var isOpen = true
    /// Where the client is, for people: groups show it with their members.
    public var remoteHost = ""

    /// Since when metadata that names no leader at all is what this client gets; nil when the last answer named one.
    var leaderlessSince: NIODeadline?

    /// Fetches of this connection that wait for the disk. While there is one the network takes no further request: what
    /// was read from disk is held by its answer alone, and many such answers at once would have no bound.
    public private(set) var coldReads = 0

    /// Called when the oldest answer is ready to leave, or a further request may be taken. May be called many times in
    /// one turn of the loop.
    public var onReady: (() -> Void)?
    /// Called when the broker wants the connection closed.
    public var onClose: (() -> Void)?

    public init() {}

    func complete(_ ticket: ResponseQueue.Ticket, with frame: WireFrame?) {
        guard isOpen else { return }
        responses.complete(ticket, with: frame)
        onReady?()
    }

    func beginColdRead() { coldReads += 1 }

    func endColdRead() {
        coldReads -= 1
        onReady?()
    }

    /// Takes the next answer in order, if it is ready.
    public func nextResponse() -> WireFrame? { responses.next() }

    /// Asks the network to close the connection: the only answer to bytes that are no request.
    func close() {
        guard isOpen else { return }
        onClose?()
    }

    /// The network's word that the connection is gone. Answers still under way are dropped.
    public func closed() {
        isOpen = false
        onReady = nil
        onClose = nil
    }
}
