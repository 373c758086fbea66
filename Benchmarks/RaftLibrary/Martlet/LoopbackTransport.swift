import Basics
import Networking
import NIOCore
import NIOPosix
import Raft
import SegmentLog

/// One node's connections to the others over TCP: every node dials every other one and sends on that connection.
///
/// A frame is a length of 4 and a `PeerMessage`, little-endian. Owned by the node's event loop.
final class LoopbackTransport: Transport {
    private final class Peer {
        let channel: any Channel
        var isFlushScheduled = false
        init(_ channel: any Channel) { self.channel = channel }
    }

    private let loop: any EventLoop
    private var peers: [NodeID: Peer] = [:]

    init(on loop: any EventLoop) {
        self.loop = loop
    }

    func attach(_ channel: any Channel, to peer: NodeID) {
        peers[peer] = Peer(channel)
    }

    func send(_ message: PeerMessage, to peer: NodeID) {
        guard let peer = peers[peer] else { return }
        let parts = PeerMessageCodec.encode(message)
        let length = parts.reduce(0) { $0 + $1.readableBytes }
        peer.channel.write(ByteBuffer(integer: UInt32(length), endianness: .little), promise: nil)
        for part in parts { peer.channel.write(part, promise: nil) }
        // One flush for all that a turn of the loop sends.
        guard !peer.isFlushScheduled else { return }
        peer.isFlushScheduled = true
        loop.assumeIsolated().execute {
            peer.isFlushScheduled = false
            peer.channel.flush()
        }
    }
}

/// The receiving end of one connection. What comes first on it is the sender's number.
final class LoopbackReceiver: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let receive: (PeerMessage, NodeID) -> Void
    private var frames = FrameAccumulator(frameBytesMax: 128.mebibytes, endianness: .little)
    private var sender: NodeID?

    init(_ receive: @escaping (PeerMessage, NodeID) -> Void) {
        self.receive = receive
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        frames.append(unwrapInboundIn(data))
        while case .frame(let bytes) = frames.next() {
            guard let sender else {
                sender = bytes.integer(at: 0, endianness: .little).map { NodeID($0) }
                continue
            }
            do {
                receive(try PeerMessageCodec.decode(bytes), sender)
            } catch {
                return context.fireErrorCaught(error)
            }
        }
    }

    /// The first frame on a connection.
    static func hello(from node: NodeID) -> ByteBuffer {
        var hello = ByteBuffer(integer: UInt32(4), endianness: .little)
        hello.writeInteger(node.rawValue, endianness: .little)
        return hello
    }
}
