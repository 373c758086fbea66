import DequeModule
import MartletClient
import NIOCore
import NIOPosix

/// A request as bytes.
struct LoadRequest {
    /// Frame length, header and body up to the batch, or with it if that is not apart.
    var head: ByteBuffer
    var batch: ByteBuffer?
    var isAnswered = true
    /// What is known of it before the answer.
    var counts = LoadCounts()
}

/// Where a connection's requests come from, and who understands the answers.
///
/// Owned by the connection's event loop.
protocol LoadSource: AnyObject {
    /// The next request; nil when there is none now, or none any more.
    func next(correlationID: Int32) -> LoadRequest?
    /// Takes the answer to the oldest request that has none yet.
    ///
    /// - Returns: what it adds to the request's counts.
    func receive(_ response: ByteBuffer) throws -> LoadCounts
}

/// When requests are due that do not wait for answers: at even distances.
struct LoadPace: Sendable {
    private let start: NIODeadline
    private let interval: Double
    private var sent = 0

    /// - Parameters:
    ///   - interval: nanoseconds between two requests of one connection.
    ///   - connection: of that many; they take turns within the interval.
    init(start: NIODeadline, interval: Double, connection: Int, of connections: Int) {
        let turn = interval * Double(connection) / Double(max(1, connections))
        self.start = start + .nanoseconds(Int64(turn))
        self.interval = interval
    }

    /// When the next request is due.
    var due: NIODeadline { start + .nanoseconds(Int64(interval * Double(sent))) }

    mutating func advance() { sent += 1 }
}

/// Keeps a number of requests under way on one connection and measures how long each takes.
///
/// With a pace, requests are sent when they are due, `depth` under way at most, and a request's time counts from when
/// it was due: what waits for a slow broker is not left out (no coordinated omission).
///
/// Owned by its channel, on the event loop. Frames go to the channel as they are, with one flush for all requests that
/// a turn of the loop sets off.
final class LoadConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let responseBytesMaximum = 512 * 1_024 * 1_024
    /// Without any progress for this long the measurement fails, instead of never ending.
    private static let patience = TimeAmount.seconds(30)

    private struct Sent {
        let time: NIODeadline
        let counts: LoadCounts
    }

    private let source: any LoadSource
    private let depth: Int
    private var pace: LoadPace?
    private let statistics: LoadStatistics
    private let deadline: NIODeadline
    private let finished: EventLoopPromise<Void>
    private var framer = ResponseFramer(bytesMaximum: LoadConnection.responseBytesMaximum)
    private var inFlight: Deque<Sent> = []
    private var correlationID: Int32 = 0
    private var isFinished = false
    /// For which request a timer has been set.
    private var wakeAt: NIODeadline?
    private var progressAt = NIODeadline.now()

    /// - Parameters:
    ///   - depth: requests under way.
    ///   - pace: nil to send the next request as soon as there is room for it.
    ///   - deadline: when to send no more.
    ///   - finished: succeeds when the last request is answered.
    init(
        _ source: any LoadSource, depth: Int, pace: LoadPace?, statistics: LoadStatistics, deadline: NIODeadline,
        finished: EventLoopPromise<Void>
    ) {
        self.source = source
        self.depth = depth
        self.pace = pace
        self.statistics = statistics
        self.deadline = deadline
        self.finished = finished
    }

    func channelActive(context: ChannelHandlerContext) {
        progressAt = .now()
        watchProgress(context)
        refill(context)
        context.fireChannelActive()
    }

    private func watchProgress(_ context: ChannelHandlerContext) {
        guard !isFinished else { return }
        let deadline = progressAt + Self.patience
        if deadline <= .now() {
            let seconds = Self.patience.nanoseconds / 1_000_000_000
            return fail(CommandFailure("a broker has not answered for \(seconds) seconds"), context)
        }
        context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { self.watchProgress(context) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        framer.append(unwrapInboundIn(data))
        do {
            while let response = try framer.next() {
                let received = try source.receive(response)
                answered(received)
            }
        } catch {
            fail(error, context)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        refill(context)
    }

    private func answered(_ received: LoadCounts) {
        guard let sent = inFlight.popFirst() else { return }
        progressAt = .now()
        var counts = sent.counts
        counts.add(received)
        statistics.count(counts, sentAt: sent.time, now: progressAt)
    }

    private func refill(_ context: ChannelHandlerContext) {
        guard !isFinished else { return }
        let now = NIODeadline.now()
        var hasWritten = false
        while inFlight.count < depth, let time = timeOfNext(now),
            let request = source.next(correlationID: correlationID)
        {
            pace?.advance()
            correlationID &+= 1
            inFlight.append(Sent(time: time, counts: request.counts))
            write(request, context)
            hasWritten = true
        }
        if hasWritten { context.flush() }
        if let due = pace?.due, due > now, due < deadline { return wake(at: due, context) }
        // Unanswered requests may be done within `flush`; they come back here by themselves.
        if inFlight.isEmpty && !hasWritten { finish(context) }
    }

    /// From when the next request's time counts; nil if none is to be sent now.
    private func timeOfNext(_ now: NIODeadline) -> NIODeadline? {
        let time = pace?.due ?? now
        return time <= now && time < deadline ? time : nil
    }

    private func wake(at due: NIODeadline, _ context: ChannelHandlerContext) {
        guard wakeAt != due else { return }
        wakeAt = due
        context.eventLoop.assumeIsolated().scheduleTask(deadline: due) { self.refill(context) }
    }

    private func write(_ request: LoadRequest, _ context: ChannelHandlerContext) {
        var written: EventLoopPromise<Void>?
        if !request.isAnswered {
            // All that can be known is that the system has taken the bytes.
            let promise = context.eventLoop.makePromise(of: Void.self)
            promise.futureResult.assumeIsolated().whenSuccess {
                self.answered(LoadCounts())
                // Not at once: the system mostly takes bytes inside `flush`, and each would nest another one.
                context.eventLoop.assumeIsolated().execute { self.refill(context) }
            }
            written = promise
        }
        if let batch = request.batch {
            context.write(wrapOutboundOut(request.head), promise: nil)
            context.write(wrapOutboundOut(batch), promise: written)
        } else {
            context.write(wrapOutboundOut(request.head), promise: written)
        }
    }

    private func finish(_ context: ChannelHandlerContext) {
        isFinished = true
        finished.succeed(())
        context.close(promise: nil)
    }

    private func fail(_ error: any Error, _ context: ChannelHandlerContext) {
        guard !isFinished else { return }
        isFinished = true
        finished.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(CommandFailure("the broker closed a connection", advice: "Its log says why."), context)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(error, context)
    }
}

extension LoadConnection {
    /// Connects, and keeps `depth` requests of a source under way until the job is done.
    ///
    /// - Parameter makeSource: called on the connection's event loop.
    static func run(
        _ job: LoadRun.Job, depth: Int, pace: LoadPace? = nil, _ makeSource: @escaping @Sendable () -> any LoadSource
    ) -> EventLoopFuture<Void> {
        let eventLoop = job.statistics.eventLoop
        let finished = eventLoop.makePromise(of: Void.self)
        let connected = BenchBootstrap.connect(to: job.share.broker, on: eventLoop) {
            LoadConnection(
                makeSource(), depth: depth, pace: pace, statistics: job.statistics.value, deadline: job.deadline,
                finished: finished)
        }
        connected.whenFailure { finished.fail($0) }
        return finished.futureResult
    }
}

/// Connections of the bench: bare channels with one handler.
enum BenchBootstrap {
    static func connect(
        to address: BrokerAddress, on eventLoop: any EventLoop,
        _ makeHandler: @escaping @Sendable () -> any ChannelHandler
    ) -> EventLoopFuture<any Channel> {
        ClientBootstrap(group: eventLoop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 1_024, initial: 65_536, maximum: 1_048_576))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(makeHandler())
                }
            }
            .connect(host: address.host, port: address.port)
            .flatMapErrorThrowing { error in
                throw CommandFailure("no connection to broker \(address)", advice: "\(error)")
            }
    }
}
