import KafkaWire
import MartletClient
import NIOCore

/// A producer and a consumer of one partition: sends a record, waits until it has come back and is acknowledged, and
/// sends the next one.
///
/// Owned by the event loop of both its connections.
final class LatencyPair {
    private let source: ProduceSource
    private let topic: String
    private let partition: Int32
    private let job: LoadRun.Job
    private let finished: EventLoopPromise<Void>
    private let producer: FrameHandler
    private let consumer: FrameHandler
    private var offset: Int64
    private var correlationID: Int32 = 0
    private var sentAt = NIODeadline.uptimeNanoseconds(0)
    private var counts = LoadCounts()
    private var isAcknowledged = true
    private var isConsumed = true
    private var isFetching = false
    private var isFinished = false

    /// - Parameter offset: the partition's end.
    private init(
        _ job: LoadRun.Job, _ source: ProduceSource, topic: String, offset: Int64, finished: EventLoopPromise<Void>
    ) {
        self.job = job
        self.source = source
        self.topic = topic
        self.offset = offset
        self.finished = finished
        partition = job.share.partitions.first ?? 0
        producer = FrameHandler()
        consumer = FrameHandler()
    }

    /// Connects twice, and works until the job's deadline.
    static func run(
        _ job: LoadRun.Job, topic: String, offset: Int64, _ makeSource: @escaping @Sendable () -> ProduceSource
    ) -> EventLoopFuture<Void> {
        let eventLoop = job.statistics.eventLoop
        let finished = eventLoop.makePromise(of: Void.self)
        return eventLoop.flatSubmit {
            let pair = LatencyPair(job, makeSource(), topic: topic, offset: offset, finished: finished)
            pair.listen()
            let producer = NIOLoopBound(pair.producer, eventLoop: eventLoop)
            let consumer = NIOLoopBound(pair.consumer, eventLoop: eventLoop)
            let connected = BenchBootstrap.connect(to: job.share.broker, on: eventLoop) { consumer.value }
                .and(BenchBootstrap.connect(to: job.share.broker, on: eventLoop) { producer.value })
            connected.assumeIsolated().whenComplete { result in
                switch result {
                case .success: pair.beginRound()
                case .failure(let error): pair.finish(.failure(error))
                }
            }
            return finished.futureResult
        }
    }

    private func listen() {
        producer.onResponse = { try self.acknowledged($0) }
        consumer.onResponse = { try self.fetched($0) }
        for handler in [producer, consumer] {
            handler.onFailure = { self.finish(.failure($0)) }
        }
    }

    private func finish(_ result: Result<Void, any Error>) {
        guard !isFinished else { return }
        isFinished = true
        for handler in [producer, consumer] {
            // They refer to the pair, which refers to them.
            handler.onResponse = nil
            handler.onFailure = nil
            handler.close()
        }
        finished.completeWith(result)
    }

    // MARK: - Rounds

    private func beginRound() {
        guard NIODeadline.now() < job.deadline, let request = source.next(correlationID: correlationID) else {
            return finish(.success(()))
        }
        // The consumer waits before there is anything to come.
        if !isFetching { fetch() }
        correlationID &+= 1
        isAcknowledged = false
        isConsumed = false
        counts = request.counts
        sentAt = .now()
        producer.send(request.head, request.batch)
    }

    private func acknowledged(_ response: ByteBuffer) throws {
        _ = try source.receive(response)
        job.statistics.value.countAcknowledgement(sentAt: sentAt, now: .now())
        isAcknowledged = true
        endRound()
    }

    private func fetched(_ response: ByteBuffer) throws {
        isFetching = false
        for answer in try FetchSource.partitions(of: response) {
            guard answer.errorCode == .none else {
                throw CommandFailure("fetch from \(topic)-\(partition): \(answer.errorCode.name)")
            }
            var batches = RecordBatches(answer.records.contiguous)
            while let batch = try batches.next() {
                offset = batch.header.lastOffset &+ 1
                isConsumed = true
            }
        }
        if isConsumed {
            job.statistics.value.count(counts, sentAt: sentAt, now: .now())
            endRound()
        } else if !isFinished {
            fetch()
        }
    }

    private func endRound() {
        if isAcknowledged && isConsumed && !isFinished { beginRound() }
    }

    private func fetch() {
        let request = FetchRequest {
            $0.maxWaitMs = 500
            $0.minBytes = 1
            $0.maxBytes = 1_048_576
            $0.topics = [
                .init {
                    $0.name = topic
                    $0.partitions = [
                        .init {
                            $0.partition = partition
                            $0.fetchOffset = offset
                            $0.partitionMaxBytes = 1_048_576
                        }
                    ]
                }
            ]
        }
        do {
            let frame = try WireFrame(
                request, version: FetchSource.version, correlationID: 0, clientID: "martlet-bench")
            isFetching = true
            consumer.send(frame.contiguous, nil)
        } catch {
            finish(.failure(error))
        }
    }
}

/// Sends frames and hands on the answers.
///
/// Owned by its channel, on the event loop.
final class FrameHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    var onResponse: ((ByteBuffer) throws -> Void)?
    var onFailure: ((any Error) -> Void)?
    private var framer = ResponseFramer(bytesMaximum: 64 * 1_024 * 1_024)
    private var context: ChannelHandlerContext?

    func send(_ head: ByteBuffer, _ batch: ByteBuffer?) {
        context?.write(wrapOutboundOut(head), promise: nil)
        if let batch { context?.write(wrapOutboundOut(batch), promise: nil) }
        context?.flush()
    }

    func close() { context?.close(promise: nil) }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        framer.append(unwrapInboundIn(data))
        do {
            while let response = try framer.next() { try onResponse?(response) }
        } catch {
            onFailure?(error)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        onFailure?(CommandFailure("the broker closed a connection", advice: "Its log says why."))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        onFailure?(error)
    }
}
