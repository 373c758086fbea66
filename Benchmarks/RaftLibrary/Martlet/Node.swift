import Basics
import Logging
import NIOCore
import NIOPosix
import Raft
import RaftCore
import SegmentLog

/// Counts commands, so that applying costs as little as it can.
final class CommandCounter: FSM {
    static let readsPayloads = false
    private(set) var count = 0

    func apply(_ block: CommittedBlock, responses: inout [Int]) {
        for _ in 0..<block.entries.count {
            count += 1
            responses.append(count)
        }
    }
}

/// One member of the group: an event loop, a log with its threads, a listener.
struct Node: Sendable {
    let id: NodeID
    let raft: Raft<CommandCounter>
    let loop: any EventLoop
    let address: SocketAddress
    private let transport: NIOLoopBound<LoopbackTransport>

    static func start(
        _ id: NodeID, of voters: [NodeID], directory: String, on loop: any EventLoop
    ) async throws -> Node {
        let storage = StorageThread(name: "writer-\(id)")
        let encoder = StorageThread(name: "encoder-\(id)")
        let transport = try await loop.submit { NIOLoopBound(LoopbackTransport(on: loop), eventLoop: loop) }.get()
        let configuration = RaftConfiguration(
            shard: .metadata, core: CoreConfiguration(id: id, voters: voters), seed: UInt64(id.rawValue))
        let raft = try await Raft<CommandCounter>.start(
            configuration, on: loop, encoderThreads: [encoder], logger: Logger(label: "raft-bench")
        ) {
            let log = try SegmentLog.open(
                options: SegmentLogOptions(directory: "\(directory)/\(id)"), fileSystem: POSIXFileSystem(),
                eventLoop: loop, writer: storage, reader: encoder)
            return (CommandCounter(), SegmentBlockLog(log), transport.value)
        }
        let listener = try await ServerBootstrap(group: loop)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        LoopbackReceiver { message, sender in raft.receive(message, from: sender) })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        guard let address = listener.localAddress else { throw ChannelError.unknownLocalAddress }
        return Node(id: id, raft: raft, loop: loop, address: address, transport: transport)
    }

    func dial(_ peer: Node) async throws {
        let channel = try await ClientBootstrap(group: loop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connect(to: peer.address).get()
        try await channel.writeAndFlush(LoopbackReceiver.hello(from: id))
        try await loop.submit { transport.value.attach(channel, to: peer.id) }.get()
    }
}
