import Basics
import Broker
import Logging
import NIOCore

/// One end of a connection between two brokers: cuts the bytes into frames and hands them on.
///
/// Owner: its channel, on the event loop. Used on both sides; what the frames mean, `receiver` says.
final class PeerFrameHandler<Receiver: PeerFrameReceiver>: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// Blocks stay in the pieces in which they came, unless those are small.
    private var frames = FrameAccumulator(frameBytesMax: 0, endianness: .little, linkedBytesMin: 16.kibibytes)
    private let receiver: Receiver
    private let logger: Logger

    init(_ receiver: Receiver, logger: Logger) {
        self.receiver = receiver
        self.logger = logger
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        frames.append(unwrapInboundIn(data))
        while context.channel.isActive {
            frames.frameBytesMax = receiver.frameBytesMax
            switch frames.next() {
            case .needMore:
                return
            case .invalid(let length):
                return close(context, because: "a frame announces \(length) bytes")
            case .frame(let bytes):
                do {
                    try receiver.receive(PeerFrameCodec.decode(bytes), on: context.channel)
                } catch {
                    return close(context, because: "\(error)")
                }
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        receiver.connectionClosed()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        logger.debug("peer connection failed", metadata: ["error": "\(error)"])
        context.close(promise: nil)
    }

    private func close(_ context: ChannelHandlerContext, because reason: String) {
        logger.warning("closing a peer connection", metadata: [
            "peer": "\(context.channel.remoteAddress.map { "\($0)" } ?? "unknown")", "reason": "\(reason)",
        ])
        context.close(promise: nil)
    }
}

/// What the frames of a peer connection are handed to.
protocol PeerFrameReceiver {
    /// Longest frame that the other side may send now, without its length.
    var frameBytesMax: Int { get }
    /// - Throws: the reason to close the connection.
    func receive(_ frame: PeerFrame, on channel: any Channel) throws
    func connectionClosed()
}

/// Why a peer's connection is closed although its bytes were frames.
enum PeerRefusal: Error, CustomStringConvertible {
    case unknownNode(NodeID)
    case shardCount(NodeID, theirs: Int, ours: Int)
    case outOfOrder

    var description: String {
        switch self {
        case .unknownNode(let node): "node \(node) is not in --cluster"
        case .shardCount(let node, let theirs, let ours):
            "node \(node) has \(theirs) shards, this one \(ours); all brokers of a cluster have the same number"
        case .outOfOrder: "a frame out of order"
        }
    }
}
