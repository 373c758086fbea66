import Basics
import Broker
import Logging
import NIOCore
import NIOPosix
import Raft

/// The connections to the other brokers: one is dialled to each, carries all shards, and is dialled again when lost.
///
/// Owner: the server, on the event loop. What a peer sends us comes on the connection that it dialled; so each
/// connection speaks in one direction, except that answers to forwarded requests return on the one they came from.
final class PeerTransport: Transport, RequestForwarding {
    /// Bytes that may wait in one connection before messages are dropped: Raft repeats what matters, and its windows
    /// keep it far below this unless the peer stopped reading.
    private static let unsentBytesMax = 64.mebibytes
    private static let redialMin = TimeAmount.milliseconds(50)
    private static let redialMax = TimeAmount.seconds(1)
    /// How long a peer may leave bytes unacknowledged before the connection counts as lost (`TCP_USER_TIMEOUT`).
    static let silenceMax = TimeAmount.seconds(5)
    static let forwardTimeout = TimeAmount.seconds(10)

    /// A connection this broker dialled: nothing comes back on it but the answers to requests passed on.
    private struct DialledPeer: PeerFrameReceiver {
        let transport: PeerTransport
        let peer: Peer
        let frameBytesMax = PeerFrameCodec.frameBytesMax

        func receive(_ frame: PeerFrame, on channel: any Channel) throws {
            guard case .forwarded(let id, let response) = frame else { throw PeerRefusal.outOfOrder }
            transport.finishForwarded(id, with: response)
        }

        func connectionClosed() { transport.disconnected(peer) }
    }

    private final class Peer {
        let id: NodeID
        let address: SocketAddress
        var channel: (any Channel)?
        var isFlushScheduled = false
        var redialDelay = PeerTransport.redialMin
        init(id: NodeID, address: SocketAddress) {
            self.id = id
            self.address = address
        }
    }

    private struct Forwarded {
        let peer: NodeID
        let timeout: Scheduled<Void>
        let completion: (ByteBuffer?) -> Void
    }

    private let loop: any EventLoop
    private let hello: PeerHello
    private let logger: Logger
    private let peers: [NodeID: Peer]
    private var forwarded: [UInt64: Forwarded] = [:]
    private var lastForwarded: UInt64 = 0
    private var isClosed = false
    /// A dialled connection was lost: nothing sent on it since may have arrived.
    var onDisconnect: ((NodeID) -> Void)?

    init(hello: PeerHello, peers: [NodeID: SocketAddress], eventLoop: any EventLoop, logger: Logger) {
        self.hello = hello
        self.logger = logger
        loop = eventLoop
        self.peers = Dictionary(uniqueKeysWithValues: peers.map { ($0, Peer(id: $0, address: $1)) })
    }

    func start() {
        for peer in peers.values { dial(peer) }
    }

    func close() {
        isClosed = true
        for peer in peers.values { peer.channel?.close(promise: nil) }
    }

    // MARK: Sending

    func send(_ message: PeerMessage, to peer: NodeID) {
        guard let peer = peers[peer] else { return }
        write(.raft(message), to: peer)
    }

    func forward(_ request: ByteBuffer, to peer: NodeID, completion: @escaping (ByteBuffer?) -> Void) {
        guard let peer = peers[peer], peer.channel != nil else { return completion(nil) }
        lastForwarded += 1
        let id = lastForwarded
        let timeout = loop.assumeIsolated().scheduleTask(in: Self.forwardTimeout) { [weak self] in
            self?.finishForwarded(id, with: nil) ?? ()
        }
        forwarded[id] = Forwarded(peer: peer.id, timeout: timeout, completion: completion)
        write(.forward(id: id, request: request), to: peer)
    }

    private func finishForwarded(_ id: UInt64, with response: ByteBuffer?) {
        guard let waiting = forwarded.removeValue(forKey: id) else { return }
        waiting.timeout.cancel()
        waiting.completion(response)
    }

    private func write(_ frame: PeerFrame, to peer: Peer) {
        guard let channel = peer.channel, channel.isWritable else { return }
        for part in PeerFrameCodec.encode(frame) { channel.write(part, promise: nil) }
        guard !peer.isFlushScheduled else { return }
        peer.isFlushScheduled = true
        loop.assumeIsolated().execute {
            peer.isFlushScheduled = false
            peer.channel?.flush()
        }
    }

    // MARK: Dialling

    private func dial(_ peer: Peer) {
        guard !isClosed else { return }
        let bound = NIOLoopBound((self, peer), eventLoop: loop)
        let logger = logger
        ClientBootstrap(group: loop)
            .connectTimeout(.seconds(2))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.tcpOption(.init(rawValue: PeerSocket.userTimeout)), value: PeerSocket.userTimeoutMillis)
            .channelOption(.writeBufferWaterMark, value: .init(low: Self.unsentBytesMax / 2, high: Self.unsentBytesMax))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let (transport, peer) = bound.value
                    let receiver = DialledPeer(transport: transport, peer: peer)
                    try channel.pipeline.syncOperations.addHandler(PeerFrameHandler(receiver, logger: logger))
                }
            }
            .connect(to: peer.address)
            .assumeIsolated()
            .whenComplete { [weak self] result in
                guard let self else { return }
                switch result {
                case .success(let channel): self.connected(peer, channel)
                case .failure: self.redial(peer)
                }
            }
    }

    private func connected(_ peer: Peer, _ channel: any Channel) {
        guard !isClosed, channel.isActive else { return channel.close(promise: nil) }
        peer.channel = channel
        peer.redialDelay = Self.redialMin
        logger.debug("connected to a peer", metadata: ["peer": "\(peer.id)"])
        write(.hello(hello), to: peer)
    }

    private func disconnected(_ peer: Peer) {
        peer.channel = nil
        for (id, waiting) in forwarded where waiting.peer == peer.id { finishForwarded(id, with: nil) }
        onDisconnect?(peer.id)
        redial(peer)
    }

    private func redial(_ peer: Peer) {
        guard !isClosed else { return }
        loop.assumeIsolated().scheduleTask(in: peer.redialDelay) { [weak self] in self?.dial(peer) ?? () }
        peer.redialDelay = min(peer.redialDelay * 2, Self.redialMax)
    }
}

/// Socket options that NIO has no name for.
enum PeerSocket {
    /// Linux's `TCP_USER_TIMEOUT`: without it a connection whose other end vanished is noticed after many minutes.
    static let userTimeout: CInt = 18
    static let userTimeoutMillis = ChannelOptions.Types.SocketOption.Value(
        PeerTransport.silenceMax.nanoseconds / 1_000_000)
}
