import CMartlet
import NIOCore

/// The leader's connection to one follower: bytes go there as they come, and the follower says how many it has flushed.
///
/// Owner: its channel, on the event loop.
final class FollowerLink: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Bytes since the start that the follower has flushed.
    private(set) var acknowledged: UInt64 = 0
    var onAcknowledgement: (() -> Void)?
    private var context: ChannelHandlerContext?
    private var received = ByteBuffer()
    private var isFlushScheduled = false

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func send(_ bytes: ByteBuffer) {
        guard let context else { fatalError("a follower is gone") }
        context.write(wrapOutboundOut(bytes), promise: nil)
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        context.eventLoop.assumeIsolated().execute { [self] in
            isFlushScheduled = false
            self.context?.flush()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received.writeImmutableBuffer(unwrapInboundIn(data))
        while let count: UInt64 = received.readInteger() { acknowledged = count }
        received.discardReadBytes()
        onAcknowledgement?()
    }
}

/// The follower's end: everything that comes is checked and written, and what is flushed is told.
///
/// Owner: its channel, on the event loop.
final class FollowerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let node: NullNode
    private var checksum: UInt32 = 0

    init(_ node: NullNode) { self.node = node }

    func handlerAdded(context: ChannelHandlerContext) {
        node.onFlush = { flushed in
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(integer: flushed)), promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { node.onFlush = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        checksum = bytes.withUnsafeReadableBytes { martlet_crc32c(checksum, $0.baseAddress, $0.count) }
        node.append(bytes)
    }
}
