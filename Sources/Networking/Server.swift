import Basics
import Broker
import Logging
import NIOCore
import NIOPosix
import SegmentLog

/// A broker process: one event loop, the storage threads, the sockets, and the `Broker` they serve.
public final class Server: Sendable {
    /// What lives on the loop, once it is built. Owner: the loop.
    final class Parts {
        var broker: Broker?
        var transport: PeerTransport?
        var logs: [SegmentLog] = []
        var listeners: [any Channel] = []
        let connectionMemory: ConnectionMemory
        let flusher: ResponseFlusher

        init(connectionBytesMax: Int, loop: any EventLoop) {
            connectionMemory = ConnectionMemory(bytesMax: connectionBytesMax)
            flusher = ResponseFlusher(loop: loop)
        }
    }

    public let configuration: ServerConfiguration
    /// Where clients connect: the port is the one really bound.
    public let kafkaAddress: HostPort
    let loop: any EventLoop
    let parts: NIOLoopBoundBox<Parts>
    let failure: EventLoopPromise<Void>
    private let group: MultiThreadedEventLoopGroup
    private let threads: StorageThreads

    private init(
        _ configuration: ServerConfiguration, kafkaAddress: HostPort, group: MultiThreadedEventLoopGroup,
        loop: any EventLoop, parts: NIOLoopBoundBox<Parts>, threads: StorageThreads, failure: EventLoopPromise<Void>
    ) {
        self.configuration = configuration
        self.kafkaAddress = kafkaAddress
        self.group = group
        self.loop = loop
        self.parts = parts
        self.threads = threads
        self.failure = failure
    }

    /// Recovers the logs, listens, and begins to take part in the cluster.
    ///
    /// - Throws: `ServerError`, which says what to do next.
    public static func start(_ configuration: ServerConfiguration, logger: Logger) async throws -> Server {
        try configuration.check()
        let identity = NodeIdentity(nodeID: configuration.nodeID, shardCount: configuration.shardCount)
        try identity.claim(configuration.dataDirectory, on: POSIXFileSystem())
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let threads = StorageThreads(shardCount: configuration.shardCount)
        let builder = ServerBuilder(configuration, loop: group.next(), threads: threads, logger: logger)
        do {
            let kafkaAddress = try await builder.build()
            return Server(
                configuration, kafkaAddress: kafkaAddress, group: group, loop: builder.loop, parts: builder.parts,
                threads: threads, failure: builder.failure)
        } catch {
            await builder.tearDown()
            builder.failure.fail(error)
            threads.stop()
            try? await group.shutdownGracefully()
            throw error
        }
    }

    /// The bounds on memory by name, for people.
    public var bounds: [(name: String, value: String)] {
        BrokerConfiguration(nodeID: configuration.nodeID, voters: [], advertisedHost: "", advertisedPort: 0).bounds
            + [("requests and answers, all connections", "\(configuration.connectionBytesMax >> 20) MiB")]
    }

    /// Makes `waitForFailure` return without an error.
    public func requestStop() { failure.succeed() }

    /// Returns when a stop was requested; throws when it cannot go on, after which the process must end.
    public func waitForFailure() async throws {
        try await failure.futureResult.get()
    }

    /// Stops listening, answers what waits with an error, and closes the logs. Call once.
    public func stop() async {
        await ServerBuilder.tearDown(parts, on: loop)
        requestStop()
        threads.stop()
        try? await group.shutdownGracefully()
    }
}

/// The threads on which storage blocks: writers, which the logs share, one for cold reads, one on each core for
/// encoding.
struct StorageThreads: Sendable {
    private let writers: [StorageThread]
    let reader: StorageThread
    let encoders: [StorageThread]

    /// No more writers than cores: while a log waits for its turn its commits grow, and more commits under way at once
    /// than that only share the same disk.
    init(shardCount: Int) {
        writers = (0..<min(shardCount, System.coreCount)).map { StorageThread(name: "log-writer-\($0)") }
        reader = StorageThread(name: "log-reader")
        encoders = (0..<System.coreCount).map { StorageThread(name: "encoder-\($0)") }
    }

    func writer(of shard: ShardID) -> StorageThread { writers[Int(shard.rawValue) % writers.count] }

    /// Ends the threads when what they were given is done.
    func stop() {
        for thread in writers + [reader] + encoders { thread.stop() }
    }
}
