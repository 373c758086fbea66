import Basics
import Broker
import NIOCore

/// A connection that another broker dialled: its Raft messages, and the requests it passes on.
///
/// Owner: the connection's handler, on the event loop. Nothing is taken before the other side has said who it is.
final class DialledByPeer: PeerFrameReceiver {
    private let broker: Broker
    private let voters: Set<NodeID>
    private let shardCount: Int
    private var peer: NodeID?

    init(broker: Broker, voters: Set<NodeID>, shardCount: Int) {
        self.broker = broker
        self.voters = voters
        self.shardCount = shardCount
    }

    /// Who has not said who it is gets no more memory than that takes.
    var frameBytesMax: Int { peer == nil ? PeerFrameCodec.helloBytesMax : PeerFrameCodec.frameBytesMax }

    func receive(_ frame: PeerFrame, on channel: any Channel) throws {
        switch (frame, peer) {
        case (.hello(let hello), nil):
            try check(hello)
            peer = hello.broker.id
            broker.receive(hello)
        case (.raft(let message), let peer?):
            broker.receive(message, from: peer)
        case (.forward(let id, let request), _?):
            broker.receiveForwarded(request) { response in
                for part in PeerFrameCodec.encode(.forwarded(id: id, response: response)) {
                    channel.write(part, promise: nil)
                }
                channel.flush()
            }
        default:
            throw PeerRefusal.outOfOrder
        }
    }

    private func check(_ hello: PeerHello) throws {
        guard voters.contains(hello.broker.id) else { throw PeerRefusal.unknownNode(hello.broker.id) }
        guard Int(hello.shardCount) == shardCount else {
            throw PeerRefusal.shardCount(hello.broker.id, theirs: Int(hello.shardCount), ours: shardCount)
        }
    }

    func connectionClosed() {}
}
