import Basics
import Broker
import Logging
import NIOCore
import NIOPosix
import Raft
import SegmentLog

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Builds a server's parts in their order: logs, listeners (which tell the real port), broker, connections.
struct ServerBuilder: Sendable {
    let configuration: ServerConfiguration
    let loop: any EventLoop
    let threads: StorageThreads
    let logger: Logger
    let parts: NIOLoopBoundBox<Server.Parts>
    let failure: EventLoopPromise<Void>

    /// Most bytes taken from a socket at once.
    private static let readBytesMax = 256.kibibytes

    init(_ configuration: ServerConfiguration, loop: any EventLoop, threads: StorageThreads, logger: Logger) {
        self.configuration = configuration
        self.loop = loop
        self.threads = threads
        self.logger = logger
        parts = NIOLoopBoundBox.makeBoxSendingValue(
            Server.Parts(connectionBytesMax: configuration.connectionBytesMax, loop: loop), eventLoop: loop)
        failure = loop.makePromise(of: Void.self)
    }

    func build() async throws -> HostPort {
        try await loop.submit { try openLogs() }.get()
        let kafka = try await listen(configuration.listen) { channel in try addKafkaHandlers(to: channel) }
        if configuration.cluster.count > 1 {
            _ = try await listen(configuration.peerListen) { channel in try addPeerHandlers(to: channel) }
        }
        var address = configuration.listen
        address.port = kafka.localAddress?.port ?? address.port
        let advertised = configuration.advertised ?? address
        let peers = try await resolvePeers()
        try await loop.submit { startBroker(advertised, peers) }.get()
        return address
    }

    // MARK: Logs

    private func openLogs() throws {
        // What is not flushed is best left to the page cache.
        let writePath = configuration.durability == .page ? WritePath.buffered : configuration.writePath
        for shard in 0..<configuration.shardCount {
            let id = ShardID(UInt16(shard))
            var options = SegmentLogOptions(directory: "\(configuration.dataDirectory)/shard-\(shard)", shard: id)
            options.segmentBytes = configuration.segmentBytes
            options.durability = configuration.durability
            options.acceptDataLoss = configuration.acceptDataLoss
            options.payloadBytesMax = part(of: options.payloadBytesMax)
            options.tableBytesMax = part(of: options.tableBytesMax)
            do {
                let log = try SegmentLog.open(
                    options: options, fileSystem: POSIXFileSystem(writePath: writePath), eventLoop: loop,
                    writer: threads.writer(of: id), reader: threads.reader, readHelpers: threads.encoders)
                report(log.recovery, of: id)
                parts.value.logs.append(log)
            } catch {
                throw ServerError.storage(shard: id, error)
            }
        }
    }

    private func part(of bytes: Int) -> Int {
        BrokerConfiguration.shardPart(of: bytes, shardCount: configuration.shardCount)
    }

    private func report(_ recovery: RecoverySummary, of shard: ShardID) {
        logger.info("log recovered", metadata: [
            "shard": "\(shard)", "segments": "\(recovery.segments)", "blocks": "\(recovery.blocks)",
            "bytes": "\(recovery.bytes)", "torn-tail-cut": "\(recovery.tornTail != nil)",
        ])
        for loss in recovery.acceptedLoss {
            logger.critical("ACKNOWLEDGED ENTRIES WERE CUT OFF, as --accept-data-loss asks", metadata: [
                "shard": "\(shard)", "damage": "\(loss)",
            ])
        }
    }

    // MARK: Listeners

    /// Binds, but accepts nothing before `startBroker`.
    private func listen(
        _ address: HostPort, initialize: @escaping @Sendable (any Channel) throws -> Void
    ) async throws -> any Channel {
        do {
            let channel = try await ServerBootstrap(group: loop)
                .serverChannelOption(.backlog, value: 1_024)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .serverChannelOption(.autoRead, value: false)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelOption(
                    .recvAllocator,
                    value: AdaptiveRecvByteBufferAllocator(
                        minimum: 4.kibibytes, initial: 64.kibibytes, maximum: Self.readBytesMax))
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try initialize(channel) }
                }
                .bind(host: address.host, port: address.port)
                .get()
            try await loop.submit { parts.value.listeners.append(channel) }.get()
            return channel
        } catch {
            throw ServerError.cannotListen(address, reason: "\(error)")
        }
    }

    private func addKafkaHandlers(to channel: any Channel) throws {
        guard let broker = parts.value.broker else { throw ChannelError.eof }
        let idle = TimeAmount.nanoseconds(configuration.idleConnectionMax.nanoseconds)
        try channel.pipeline.syncOperations.addHandler(
            KafkaConnectionHandler(
                broker: broker, memory: parts.value.connectionMemory, flusher: parts.value.flusher, idleMax: idle,
                logger: logger))
    }

    private func addPeerHandlers(to channel: any Channel) throws {
        guard let broker = parts.value.broker else { throw ChannelError.eof }
        try channel.pipeline.syncOperations.addHandler(
            PeerFrameHandler(
                DialledByPeer(
                    broker: broker, voters: Set(configuration.cluster.keys), shardCount: configuration.shardCount),
                logger: logger))
    }

    // MARK: Broker

    private func resolvePeers() async throws -> [NodeID: SocketAddress] {
        var peers: [NodeID: SocketAddress] = [:]
        for (id, address) in configuration.cluster where id != configuration.nodeID {
            do {
                peers[id] = try SocketAddress.makeAddressResolvingHost(address.host, port: address.port)
            } catch {
                throw ServerError.invalidConfiguration("cannot resolve \(address) of node \(id) in --cluster: \(error)")
            }
        }
        return peers
    }

    private func startBroker(_ advertised: HostPort, _ peers: [NodeID: SocketAddress]) {
        let voters = configuration.cluster.isEmpty ? [configuration.nodeID] : configuration.cluster.keys.sorted()
        var brokerConfiguration = BrokerConfiguration(
            nodeID: configuration.nodeID, voters: voters, advertisedHost: advertised.host,
            advertisedPort: Int32(advertised.port))
        brokerConfiguration.shardCount = configuration.shardCount
        brokerConfiguration.compression = configuration.compression
        brokerConfiguration.autoCreateTopics = configuration.autoCreateTopics
        brokerConfiguration.defaultPartitionCount = configuration.defaultPartitionCount
        brokerConfiguration.groups = configuration.groups
        brokerConfiguration.coldReads = configuration.coldReads
        brokerConfiguration.rack = configuration.rack
        brokerConfiguration.logDirectory = LogVolume.absolutePath(configuration.dataDirectory)
        let hello = PeerHello(
            broker: Broker.registration(brokerConfiguration), shardCount: UInt16(configuration.shardCount))
        let transport = PeerTransport(hello: hello, peers: peers, eventLoop: loop, logger: logger)
        let broker = Broker(
            configuration: brokerConfiguration, logs: parts.value.logs.map { SegmentBlockLog($0) },
            transport: transport, forwarding: transport,
            encoderThreads: threads.encoders, eventLoop: loop, wallClock: Self.wallClock,
            seed: UInt64.random(in: .min ... .max), logger: logger)
        broker.volume = LogVolume(
            directory: brokerConfiguration.logDirectory, executor: threads.reader, eventLoop: loop)
        transport.onDisconnect = { [weak broker] peer in broker?.peerDisconnected(peer) }
        broker.onStorageFailure = { [failure] shard, error in
            failure.fail(ServerError.storage(shard: shard, error))
        }
        parts.value.broker = broker
        parts.value.transport = transport
        broker.start()
        transport.start()
        for listener in parts.value.listeners {
            listener.setOption(.autoRead, value: true).assumeIsolated().whenSuccess { listener.read() }
        }
    }

    /// Milliseconds since 1970.
    private static func wallClock() -> Milliseconds {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Milliseconds(time.tv_sec) * 1_000 + Milliseconds(time.tv_nsec) / 1_000_000
    }

    // MARK: End

    func tearDown() async { await Self.tearDown(parts, on: loop) }

    /// Ends the parts in the reverse order: no more connections, no more Raft, then the logs, flushed.
    static func tearDown(_ parts: NIOLoopBoundBox<Server.Parts>, on loop: any EventLoop) async {
        let logsClosed: EventLoopFuture<Void>? = try? await loop.submit {
            let parts = parts.value
            for listener in parts.listeners { listener.close(promise: nil) }
            parts.transport?.close()
            parts.broker?.shutdown()
            let closings = parts.logs.map { log in
                let promise = loop.makePromise(of: Void.self)
                log.close { promise.succeed() }
                return promise.futureResult
            }
            return EventLoopFuture.andAllComplete(closings, on: loop)
        }.get()
        try? await logsClosed?.get()
    }
}

extension ServerConfiguration {
    func check() throws(ServerError) {
        if !cluster.isEmpty, cluster[nodeID] == nil {
            throw .invalidConfiguration(
                "--cluster does not name this node (\(nodeID)); every broker gets the same list")
        }
        guard (1...64).contains(shardCount) else {
            throw .invalidConfiguration("--shards is \(shardCount); choose 1 to 64")
        }
        guard nodeID.rawValue >= 0 else {
            throw .invalidConfiguration("--node-id is \(nodeID); node ids are not negative")
        }
    }
}
