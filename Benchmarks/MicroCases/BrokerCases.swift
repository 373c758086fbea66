import Basics
import Broker
import Foundation
import KafkaWire
import Logging
import NIOCore
import NIOEmbedded
import Raft
import SegmentLog

/// A whole broker in one thread, alone in its cluster, with its log in a directory that goes with it. Nothing is
/// flushed: what counts here is the work, not the disk.
private final class OneBroker: Transport, RequestForwarding {
    private let loop = EmbeddedEventLoop()
    private let threads = ManualExecutor()
    private let connection = ClientConnection()
    private let directory = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-micro-\(UUID())")
    private var broker: Broker?

    init(topic: String) throws {
        var options = SegmentLogOptions(directory: directory.path)
        options.durability = .page
        let log = try SegmentLog.open(
            options: options, fileSystem: POSIXFileSystem(writePath: .direct), eventLoop: loop, writer: threads,
            reader: threads)
        let configuration = BrokerConfiguration(
            nodeID: NodeID(1), voters: [NodeID(1)], advertisedHost: "localhost", advertisedPort: 9_092)
        let broker = Broker(
            configuration: configuration, logs: [SegmentBlockLog(log)], transport: self, forwarding: self,
            encoderThreads: [threads], eventLoop: loop, wallClock: { 0 }, seed: 1,
            logger: Logger(label: "micro", factory: { _ in SwiftLogNoOpLogHandler() }))
        self.broker = broker
        broker.start()
        while broker.metadata.brokers.isEmpty { passTime() }
        try ask(Samples.frame(CreateTopicsRequest {
            $0.timeoutMs = 1_000
            $0.topics = [
                .init {
                    $0.name = topic
                    $0.numPartitions = 1
                    $0.replicationFactor = 1
                }
            ]
        }, version: 5))
    }

    deinit {
        broker?.shutdown()
        try? FileManager.default.removeItem(at: directory)
    }

    /// Sends a request, or several in one turn of the loop, until all are answered. The last answer.
    @discardableResult
    func ask(_ request: ByteBuffer, times: Int = 1) throws -> WireFrame {
        for _ in 0..<times { try broker?.receive(request, from: connection) }
        var answers = 0
        while true {
            while let response = connection.nextResponse() {
                answers += 1
                if answers == times { return response }
            }
            loop.run()
            if threads.pending > 0 { threads.runAll() } else { passTime() }
        }
    }

    private func passTime() {
        loop.advanceTime(by: .milliseconds(1))
        threads.runAll()
        loop.run()
    }

    // Alone, it has nobody to speak to.
    func send(_ message: PeerMessage, to peer: NodeID) {}
    func forward(_ request: ByteBuffer, to peer: NodeID, completion: @escaping (ByteBuffer?) -> Void) {
        completion(nil)
    }
}

extension Samples {
    /// A Fetch request for one partition that does not wait, without its length.
    fileprivate static func fetchFrame(from offset: Int64, maxBytes: Int32) throws -> ByteBuffer {
        let request = FetchRequest {
            $0.maxWaitMs = 0
            $0.minBytes = 1
            $0.maxBytes = maxBytes
            $0.topics = [
                .init {
                    $0.name = "topic"
                    $0.partitions = [
                        .init {
                            $0.fetchOffset = offset
                            $0.partitionMaxBytes = maxBytes
                        }
                    ]
                }
            ]
        }
        return try frame(request, version: 12)
    }
}

extension MicroCase {
    static let brokerCases = [
        // All of the way but sockets, flush and followers: checks, proposal, block, write, commit, apply, answer.
        MicroCase("append path: from a request to its answer") {
            let broker = try OneBroker(topic: "topic")
            let frame = try Samples.produceFrame()
            return { try broker.ask(frame) }
        },
        // As under load, when what comes in one turn shares a block.
        MicroCase("append path: 14 requests in one turn") {
            let broker = try OneBroker(topic: "topic")
            let frame = try Samples.produceFrame()
            return { try broker.ask(frame, times: 14) }
        },
        // In the middle of what is in memory.
        MicroCase("fetch: offset lookup, 64 KiB, answer") {
            let broker = try OneBroker(topic: "topic")
            let produce = try Samples.produceFrame()
            for _ in 0..<200 { try broker.ask(produce) }
            let fetch = try Samples.fetchFrame(from: Int64(100 * Samples.recordsPerBatch + 7), maxBytes: 64 << 10)
            return { try broker.ask(fetch) }
        },
        // Blocks of one record each, as they are when producers send little; the consumer had the one before.
        MicroCase("fetch: the newest of 500 single records") {
            let broker = try OneBroker(topic: "topic")
            let produce = try Samples.produceFrame(Samples.batch(of: [ByteBuffer(repeating: 1, count: 100)]))
            for _ in 0..<500 { try broker.ask(produce) }
            try broker.ask(Samples.fetchFrame(from: 498, maxBytes: 1))
            let fetch = try Samples.fetchFrame(from: 499, maxBytes: 1)
            return { try broker.ask(fetch) }
        },
    ]
}
