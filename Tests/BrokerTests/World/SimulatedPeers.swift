import Basics
import Broker
import NIOCore
import Raft

/// One broker's connections to the others in a world: real peer frames over a `SimulatedNetwork`.
///
/// Owner: a `SimulatedBroker`, on its loop. The two directions are one connection here: it is cut as a whole.
final class SimulatedPeers: Transport, RequestForwarding {
    private struct Forwarded {
        let peer: NodeID
        let completion: (ByteBuffer?) -> Void
    }

    let node: NodeID
    private let send: (_ frame: ByteBuffer, _ peer: NodeID) -> Void
    private var forwarded: [UInt64: Forwarded] = [:]
    private var lastForwarded: UInt64 = 0
    weak var broker: Broker?

    init(_ node: NodeID, send: @escaping (_ frame: ByteBuffer, _ peer: NodeID) -> Void) {
        self.node = node
        self.send = send
    }

    func send(_ message: PeerMessage, to peer: NodeID) { send(.raft(message), to: peer) }

    func send(_ frame: PeerFrame, to peer: NodeID) {
        var bytes = ByteBuffer()
        for part in PeerFrameCodec.encode(frame) { bytes.writeImmutableBuffer(part) }
        send(bytes, peer)
    }

    func forward(_ request: ByteBuffer, to peer: NodeID, completion: @escaping (ByteBuffer?) -> Void) {
        lastForwarded += 1
        forwarded[lastForwarded] = Forwarded(peer: peer, completion: completion)
        send(.forward(id: lastForwarded, request: request), to: peer)
    }

    /// Takes one frame as it comes from the network, length included.
    func receive(_ bytes: ByteBuffer, from peer: NodeID) throws {
        var bytes = bytes
        bytes.moveReaderIndex(forwardBy: 4)
        switch try PeerFrameCodec.decode(bytes) {
        case .hello(let hello): broker?.receive(hello)
        case .raft(let message): broker?.receive(message, from: peer)
        case .forward(let id, let request):
            broker?.receiveForwarded(request) { [weak self] response in
                self?.send(.forwarded(id: id, response: response), to: peer)
            }
        case .forwarded(let id, let response):
            forwarded.removeValue(forKey: id)?.completion(response)
        }
    }

    func disconnected(from peer: NodeID) {
        broker?.peerDisconnected(peer)
        for (id, request) in forwarded.sorted(by: { $0.key < $1.key }) where request.peer == peer {
            forwarded[id] = nil
            request.completion(nil)
        }
    }
}
