import ArgumentParser
import Basics
import NIOCore
import NIOPosix
import Networking
import SegmentLog

/// The ceiling that Martlet is measured against: the same sockets, codec, checksum, direct writes and flushes, with no
/// Raft, no state machine, no compression, no recovery and no reading.
@main
struct NullBroker: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "null-broker",
        abstract: "Flushes what is produced, with or without followers, and does nothing else.")

    @Option(help: "The port to listen on, on 127.0.0.1.")
    var port: Int

    @Option(help: "The file to write round and round.")
    var file: String

    @Option(help: "Bytes of the file, in MiB.")
    var fileMib = 512

    @Flag(help: "Only reserve the file's blocks at the start, as for a log that keeps what it is given.")
    var keeping = false

    @Option(help: "MiB of what is produced first to keep in memory for consumers.")
    var retainMib = 0

    @Flag(help: "Take bytes from a leader instead of requests from clients.")
    var follower = false

    @Option(help: "The port of a follower; may be repeated.")
    var forward: [Int] = []

    func run() throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let ring = try RingFile(file, length: fileMib.mebibytes, blocks: keeping ? .reserved : .written)
        let thread = StorageThread(name: "null-writer")
        let options = self
        let listening = loop.flatSubmit { options.listen(on: loop, ring, thread) }
        try listening.wait().closeFuture.wait()
    }

    private func listen(
        on loop: any EventLoop, _ ring: RingFile, _ thread: StorageThread
    ) -> EventLoopFuture<any Channel> {
        let node = NullNode(ring: ring, thread: thread, loop: loop)
        let topics = NullTopics(port: Int32(port), records: RetainedRecords(bytesMax: retainMib.mebibytes))
        let shared = NIOLoopBound((node, topics), eventLoop: loop)
        let connected = forward.map { port in connect(to: port, shared.value.0, loop) }
        return EventLoopFuture.andAllSucceed(connected, on: loop).flatMap {
            ServerBootstrap(group: loop)
                .serverChannelOption(.backlog, value: 1_024)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelOption(
                    .recvAllocator, value: AdaptiveRecvByteBufferAllocator(
                        minimum: 4.kibibytes, initial: 64.kibibytes, maximum: 1.mebibytes))
                .childChannelInitializer { [follower] channel in
                    channel.eventLoop.makeCompletedFuture {
                        let (node, topics) = shared.value
                        if follower {
                            try channel.pipeline.syncOperations.addHandler(FollowerHandler(node))
                        } else {
                            try channel.pipeline.syncOperations.addHandler(ClientHandler(node, topics))
                        }
                    }
                }
                .bind(host: "127.0.0.1", port: port)
        }
    }

    private func connect(to port: Int, _ node: NullNode, _ loop: any EventLoop) -> EventLoopFuture<Void> {
        let bound = NIOLoopBound(node, eventLoop: loop)
        return ClientBootstrap(group: loop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let link = FollowerLink()
                    try channel.pipeline.syncOperations.addHandler(link)
                    bound.value.add(link)
                }
            }
            .connect(host: "127.0.0.1", port: port).map { _ in }
    }
}
