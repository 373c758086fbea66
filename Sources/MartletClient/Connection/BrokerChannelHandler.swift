import DequeModule
import KafkaWire
import NIOCore

/// Writes requests, and hands each response to whoever sent the request it answers.
///
/// Owner: its channel, on the event loop. Brokers answer in the order of the requests (that is the protocol's only
/// matching rule; the correlation id just confirms it), so what waits is a queue. It is bounded by its senders: the
/// producer keeps at most five requests under way, everyone else one per caller.
final class BrokerChannelHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Called on the event loop, once.
    typealias Completion = (Result<ByteBuffer, KafkaClientError>) -> Void

    private struct Pending {
        let correlationID: Int32
        let deadline: NIODeadline
        let complete: Completion
    }

    private let peer: String
    private var framer: ResponseFramer
    private var pending: Deque<Pending> = []
    private var context: ChannelHandlerContext?
    private var nextCorrelationID: Int32 = 0
    private var failure: KafkaClientError?
    private var isTimerRunning = false

    init(peer: String, responseBytesMaximum: Int) {
        self.peer = peer
        framer = ResponseFramer(bytesMaximum: responseBytesMaximum)
    }

    /// The number that the next request must carry.
    func takeCorrelationID() -> Int32 {
        defer { nextCorrelationID &+= 1 }
        return nextCorrelationID
    }

    /// - Parameter timeout: how long the response may take; on expiry the connection is closed.
    func send(
        _ frame: WireFrame, correlationID: Int32, timeout: TimeAmount, completion: @escaping Completion
    ) {
        guard let context, failure == nil else {
            completion(.failure(failure ?? notConnected))
            return
        }
        pending.append(Pending(correlationID: correlationID, deadline: .now() + timeout, complete: completion))
        write(frame, to: context)
        startTimer()
    }

    /// Sends a request that gets no response.
    ///
    /// - Parameters:
    ///   - timeout: how long the broker may leave it unread; on expiry the connection is closed.
    ///   - completion: called when the system has taken all its bytes, which is all that can be known.
    func sendUnanswered(
        _ frame: WireFrame, timeout: TimeAmount, completion: @escaping (Result<Void, KafkaClientError>) -> Void
    ) {
        guard let context, failure == nil else {
            completion(.failure(failure ?? notConnected))
            return
        }
        let written = context.eventLoop.makePromise(of: Void.self)
        let timer = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) { [peer, weak self] in
            self?.fail(KafkaClientError(.requestTimedOut, "\(peer) does not read what it is sent"))
        }
        written.futureResult.assumeIsolated().whenComplete { [peer] result in
            timer.cancel()
            completion(result.mapError { KafkaClientError(.connectionClosed, "\(peer) did not take a request: \($0)") })
        }
        write(frame, to: context, promise: written)
    }

    private func write(_ frame: WireFrame, to context: ChannelHandlerContext, promise: EventLoopPromise<Void>? = nil) {
        for part in frame.dropLast() { context.write(wrapOutboundOut(part), promise: nil) }
        if let last = frame.last { context.writeAndFlush(wrapOutboundOut(last), promise: promise) }
    }

    private var notConnected: KafkaClientError {
        KafkaClientError(.connectionFailed, "\(peer) is not connected")
    }

    // MARK: - Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        framer.append(unwrapInboundIn(data))
        do {
            while let response = try framer.next() { try deliver(response) }
        } catch {
            fail(error)
        }
    }

    private func deliver(_ response: ByteBuffer) throws(KafkaClientError) {
        guard let request = pending.first,
            response.getInteger(at: response.readerIndex, as: Int32.self) == request.correlationID
        else {
            throw KafkaClientError(.invalidResponse, "\(peer) answered a request that was not sent")
        }
        pending.removeFirst()
        request.complete(.success(response))
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(KafkaClientError(.connectionClosed, "\(peer) closed the connection"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(KafkaClientError(.connectionClosed, "the connection to \(peer) broke: \(error)"))
    }

    /// Closes the connection and answers everything that waits.
    func fail(_ error: KafkaClientError) {
        guard failure == nil else { return }
        failure = error
        let abandoned = pending
        pending = []
        for request in abandoned { request.complete(.failure(error)) }
        context?.close(promise: nil)
    }

    // MARK: - Timeouts

    /// Watches the oldest request only: responses come in order, so no other can be overdue without it.
    private func startTimer() {
        guard !isTimerRunning, let first = pending.first, let context else { return }
        isTimerRunning = true
        context.eventLoop.assumeIsolated().scheduleTask(deadline: first.deadline) { [weak self] in
            self?.timerFired()
        }
    }

    private func timerFired() {
        isTimerRunning = false
        if let first = pending.first, first.deadline <= .now() {
            fail(KafkaClientError(.requestTimedOut, "\(peer) did not answer in time"))
        } else {
            startTimer()
        }
    }
}
