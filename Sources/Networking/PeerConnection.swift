import Basics
import Broker
import Logging
import NIOCore

/// The receiving end of one connection between two brokers: frames in, to whoever listens.
///
/// Owner: its channel, on the event loop.
final class PeerFrameHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var frames = FrameAccumulator(frameBytesMax: PeerFrameCodec.frameBytesMax, endianness: .little)
    private let logger: Logger
    private let onFrame: (PeerFrame, ChannelHandlerContext) -> Void
    private let onInactive: () -> Void

    init(
        logger: Logger, onFrame: @escaping (PeerFrame, ChannelHandlerContext) -> Void,
        onInactive: @escaping () -> Void
    ) {
        self.logger = logger
        self.onFrame = onFrame
        self.onInactive = onInactive
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        frames.append(unwrapInboundIn(data))
        while true {
            switch frames.next() {
            case .needMore:
                return
            case .invalid(let length):
                return close(context, "a frame announces \(length) bytes")
            case .frame(let bytes):
                do {
                    onFrame(try PeerFrameCodec.decode(bytes), context)
                } catch {
                    return close(context, "\(error)")
                }
            }
        }
    }

    private func close(_ context: ChannelHandlerContext, _ reason: String) {
        logger.warning("closing a peer connection: its bytes are damaged or not ours", metadata: [
            "peer": "\(context.channel.remoteAddress.map { "\($0)" } ?? "unknown")", "reason": "\(reason)",
        ])
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        onInactive()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        logger.debug("peer connection failed", metadata: ["error": "\(error)"])
        context.close(promise: nil)
    }
}
