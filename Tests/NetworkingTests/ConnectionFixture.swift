import Basics
import Broker
import KafkaWire
import Logging
import NIOCore
import NIOEmbedded
import Raft
import RaftCore
import SegmentLog

@testable import Networking

/// A broker of its own and one client's channel to it, on one embedded loop; its log is written when a test says so.
final class ConnectionFixture {
    private final class NoPeers: Transport, RequestForwarding {
        func send(_ message: PeerMessage, to peer: NodeID) {}
        func forward(_ request: ByteBuffer, to peer: NodeID, completion: @escaping (ByteBuffer?) -> Void) {
            completion(nil)
        }
    }

    /// Stands where the socket would be, and counts what the connection asks of it.
    private final class Socket: ChannelDuplexHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundIn = ByteBuffer
        var reads = 0
        var flushes = 0
        var writes = 0

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            writes += 1
            context.write(data, promise: promise)
        }

        func read(context: ChannelHandlerContext) { reads += 1 }

        func flush(context: ChannelHandlerContext) {
            flushes += 1
            context.flush()
        }
    }

    static let idleMax = TimeAmount.seconds(60)

    let loop = EmbeddedEventLoop()
    let writer = ManualExecutor()
    let broker: Broker
    let memory: ConnectionMemory
    let channel: EmbeddedChannel
    private let socket = Socket()
    private var lastCorrelationID: Int32 = 0

    init(
        memoryBytesMax: Int = 1 << 20, configure: (inout BrokerConfiguration) -> Void = { _ in }
    ) throws {
        var configuration = BrokerConfiguration(
            nodeID: NodeID(1), voters: [NodeID(1)], advertisedHost: "localhost", advertisedPort: 9_092)
        configure(&configuration)
        let log = try LogStoreBlockLog(
            store: InMemoryLogStore(), stable: InMemoryStableStore(), eventLoop: loop, executor: writer)
        let peers = NoPeers()
        broker = Broker(
            configuration: configuration, logs: [log], transport: peers, forwarding: peers, encoderThreads: [writer],
            eventLoop: loop, wallClock: { 1_800_000_000_000 }, seed: 1,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        memory = ConnectionMemory(bytesMax: memoryBytesMax)
        channel = EmbeddedChannel(loop: loop)
        try channel.pipeline.syncOperations.addHandlers([
            socket,
            KafkaConnectionHandler(
                broker: broker, memory: memory, flusher: ResponseFlusher(loop: loop), idleMax: Self.idleMax,
                logger: broker.logger),
        ])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        broker.start()
        settle()
        loop.advanceTime(by: .milliseconds(100))
        settle()
    }

    /// Lets log and loop do everything that is to be done now.
    func settle() {
        loop.run()
        while writer.pending > 0 {
            writer.runAll()
            loop.run()
        }
    }

    // MARK: The client

    func frame<Request: KafkaRequest>(_ request: Request, version: Int16) throws -> ByteBuffer {
        lastCorrelationID += 1
        return try WireFrame(request, version: version, correlationID: lastCorrelationID, clientID: nil).contiguous
    }

    /// What a socket does: hands over what it read, and is asked for more if more is wanted.
    func receive(_ bytes: ByteBuffer) throws {
        try channel.writeInbound(bytes)
        channel.pipeline.read()
    }

    /// How often the connection has asked the socket for more.
    var reads: Int { socket.reads }
    var flushes: Int { socket.flushes }
    var writes: Int { socket.writes }

    /// The numbers of the requests answered since the last call.
    func answers() throws -> [Int32] {
        var bytes = ByteBuffer()
        while let part = try channel.readOutbound(as: ByteBuffer.self) { bytes.writeImmutableBuffer(part) }
        var numbers: [Int32] = []
        while let length: Int32 = bytes.readInteger(), var frame = bytes.readSlice(length: Int(length)) {
            numbers.append(frame.readInteger() ?? -1)
        }
        return numbers
    }

    func createTopic(_ name: String) throws {
        try receive(frame(MetadataRequest { $0.topics = [.init { $0.name = name }] }, version: 1))
        settle()
        _ = try answers()
    }

    func metadata() throws -> ByteBuffer { try frame(MetadataRequest(), version: 1) }

    func produce(_ bytes: Int, acks: Int16 = -1) throws -> ByteBuffer {
        var builder = RecordBatchBuilder()
        builder.append(key: nil, value: ByteBuffer(repeating: 1, count: bytes), timestamp: 1_800_000_000_000)
        let batch = try builder.build().bytes
        return try frame(
            ProduceRequest { request in
                request.acks = acks
                request.timeoutMs = 10_000
                request.topics = [
                    ProduceRequest.Topic {
                        $0.name = "t"
                        $0.partitions = [ProduceRequest.Partition { $0.records = batch }]
                    }
                ]
            }, version: 8)
    }

    func fetch(maxWait: Int32) throws -> ByteBuffer {
        try frame(
            FetchRequest { request in
                request.maxWaitMs = maxWait
                request.minBytes = 1
                request.topics = [
                    FetchRequest.Topic {
                        $0.name = "t"
                        $0.partitions = [FetchRequest.Partition { $0.partitionMaxBytes = 1 << 20 }]
                    }
                ]
            }, version: 11)
    }
}

extension Broker {
    var logger: Logger { Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }) }
}
