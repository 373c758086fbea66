import Basics
import Broker
import KafkaWire
import Logging
import NIOCore
import SegmentLog

/// One Kafka client's socket: cuts requests out of the stream, writes answers in their order, and stops reading when
/// the client has too much under way.
///
/// Owner: its channel, on the event loop. Framing is by hand and answers are flushed once per turn of the loop: an
/// asynchronous step for each frame would cost more than everything else.
final class KafkaConnectionHandler: ChannelDuplexHandler, MemoryHolder {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Kafka's `socket.request.max.bytes`.
    static let requestBytesMax = 104_857_600

    private let broker: Broker
    private let memory: ConnectionMemory
    private let flusher: ResponseFlusher
    private let idleMax: TimeAmount
    private let logger: Logger
    private let connection = ClientConnection()
    private var frames = FrameAccumulator(frameBytesMax: requestBytesMax, endianness: .big)
    private var context: ChannelHandlerContext?
    private var accountedBytes = 0
    private var isFlushScheduled = false
    private var isReadWanted = false
    private var isWaitingForBroker = false
    /// When bytes came or went last.
    private var lastActive = NIODeadline.now()
    private var idleTimer: Scheduled<Void>?

    /// - Parameter idleMax: a connection without a byte either way for so long is closed.
    init(
        broker: Broker, memory: ConnectionMemory, flusher: ResponseFlusher, idleMax: TimeAmount, logger: Logger
    ) {
        self.broker = broker
        self.memory = memory
        self.flusher = flusher
        self.idleMax = idleMax
        self.logger = logger
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        connection.remoteHost = context.remoteAddress?.ipAddress ?? ""
        connection.onReady = { [unowned self] in self.scheduleFlush() }
        connection.onClose = { [unowned self] in self.context?.close(promise: nil) }
        lastActive = context.eventLoop.now
        watchForIdleness(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        idleTimer?.cancel()
    }

    /// By a look at the clock now and then: NIO's own handler for this makes a promise for each write.
    private func watchForIdleness(_ context: ChannelHandlerContext) {
        idleTimer = context.eventLoop.assumeIsolated().scheduleTask(deadline: lastActive + idleMax) { [weak self] in
            guard let self, let context = self.context else { return }
            if context.eventLoop.now - lastActive >= idleMax {
                close(context, because: "idle")
            } else {
                watchForIdleness(context)
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        connection.closed()
        memory.account(0, of: self)
        context.fireChannelInactive()
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastActive = context.eventLoop.now
        frames.append(unwrapInboundIn(data))
        takeRequests(context)
    }

    private func takeRequests(_ context: ChannelHandlerContext) {
        while connection.isOpen, mayTakeRequest {
            switch frames.next() {
            case .needMore:
                account()
                return
            case .invalid(let length):
                close(context, because: "a request announces \(length) bytes")
                return
            case .frame(let frame):
                do {
                    try broker.receive(frame.joined, from: connection)
                } catch {
                    close(context, because: "\(error)")
                    return
                }
            }
        }
        account()
    }

    /// Counts what this connection holds against the server's bound.
    private func account() {
        guard let context, connection.isOpen else { return }
        let held = frames.bufferedBytes + connection.responses.readyBytes + unsentBytes(context)
        guard held != accountedBytes else { return }
        accountedBytes = held
        memory.account(held, of: self)
    }

    /// Bytes of answers that the socket has not taken.
    private func unsentBytes(_ context: ChannelHandlerContext) -> Int {
        // While the channel is writable it holds little, and asking it is not free.
        guard !context.channel.isWritable else { return 0 }
        return (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    func releaseMemory() {
        guard let context, connection.isOpen else { return }
        close(context, because: "connections hold more than \(memory.bytesMax) bytes together, this one for longest")
    }

    private func close(_ context: ChannelHandlerContext, because reason: String) {
        logger.info("closing a client connection", metadata: [
            "client": "\(context.channel.remoteAddress.map { "\($0)" } ?? "unknown")", "reason": "\(reason)",
        ])
        context.close(promise: nil)
    }

    /// Whether the client may have one more request under way.
    private var mayTakeRequest: Bool {
        connection.responses.count < broker.configuration.requestsPerConnectionMax
            && connection.responses.readyBytes < broker.configuration.responseBytesPerConnectionMax
            && connection.coldReads == 0
            && !broker.isCongested
    }

    func read(context: ChannelHandlerContext) {
        if mayTakeRequest {
            context.read()
            return
        }
        isReadWanted = true
        waitForBroker()
    }

    private func waitForBroker() {
        guard broker.isCongested, !isWaitingForBroker else { return }
        isWaitingForBroker = true
        broker.whenUncongested { [weak self] in
            self?.isWaitingForBroker = false
            self?.resume()
        }
    }

    /// Goes on with what is buffered, then with the socket.
    private func resume() {
        guard let context, connection.isOpen else { return }
        takeRequests(context)
        guard isReadWanted else { return }
        guard mayTakeRequest else { return waitForBroker() }
        isReadWanted = false
        context.read()
    }

    // MARK: Writing

    private func scheduleFlush() {
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        flusher.add(self)
    }

    /// Writes what is ready, in order, as long as the socket takes it; the rest waits in the queue, where it counts.
    func writeResponses() {
        isFlushScheduled = false
        guard let context, connection.isOpen else { return }
        let channel = context.channel
        var hasWritten = false, isGathering = false
        while channel.isWritable, let frame = connection.nextResponse() {
            hasWritten = true
            if frame.byteCount <= ResponseFlusher.smallFrameBytes {
                gather(frame, &isGathering, context)
            } else {
                writeGathered(&isGathering, context)
                for part in frame { context.write(wrapOutboundOut(part), promise: nil) }
            }
        }
        writeGathered(&isGathering, context)
        if hasWritten {
            lastActive = context.eventLoop.now
            context.flush()
            account()
        }
        // Also when nothing was written: the end of a request without an answer makes room for another.
        resume()
    }

    private func gather(_ frame: WireFrame, _ isGathering: inout Bool, _ context: ChannelHandlerContext) {
        if isGathering, flusher.gathered.readableBytes >= ResponseFlusher.gatheredBytesMax {
            writeGathered(&isGathering, context)
        }
        // Takes new memory only if a socket still has what was gathered before.
        if !isGathering { flusher.gathered.clear() }
        isGathering = true
        frame.append(to: &flusher.gathered)
    }

    private func writeGathered(_ isGathering: inout Bool, _ context: ChannelHandlerContext) {
        guard isGathering else { return }
        isGathering = false
        context.write(wrapOutboundOut(flusher.gathered), promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { writeResponses() }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        logger.debug("client connection failed", metadata: ["error": "\(error)"])
        context.close(promise: nil)
    }
}
