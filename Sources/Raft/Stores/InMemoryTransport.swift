import Basics
import Synchronization

/// A network in memory: delivers every message, in order, by calling the receiver it was sent to.
///
/// For tests and examples; `isConnected` lets a test cut nodes off.
public final class InMemoryNetwork: Sendable {
    public typealias Receiver = @Sendable (_ message: PeerMessage, _ from: NodeID) -> Void

    private struct State {
        var receivers: [NodeID: Receiver] = [:]
        var cutOff: Set<NodeID> = []
    }

    private let state = Mutex(State())

    public init() {}

    /// Registers who receives for `node`. A receiver hops to its own event loop; it is called on the sender's.
    public func attach(_ node: NodeID, _ receiver: @escaping Receiver) {
        state.withLock { $0.receivers[node] = receiver }
    }

    /// Cuts a node off from all others, or joins it again.
    public func setConnected(_ node: NodeID, _ isConnected: Bool) {
        state.withLock { state in
            if isConnected { state.cutOff.remove(node) } else { state.cutOff.insert(node) }
        }
    }

    func deliver(_ message: PeerMessage, from sender: NodeID, to receiver: NodeID) {
        let deliver: Receiver? = state.withLock { state in
            state.cutOff.contains(sender) || state.cutOff.contains(receiver) ? nil : state.receivers[receiver]
        }
        deliver?(message, sender)
    }
}

/// One node's end of an `InMemoryNetwork`.
public final class InMemoryTransport: Transport {
    private let node: NodeID
    private let network: InMemoryNetwork

    public init(_ node: NodeID, on network: InMemoryNetwork) {
        self.node = node
        self.network = network
    }

    public func send(_ message: PeerMessage, to peer: NodeID) {
        network.deliver(message, from: node, to: peer)
    }
}
