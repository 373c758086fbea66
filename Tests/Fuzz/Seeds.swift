import Basics
import Broker
import Glibc
import KafkaWire
import NIOCore
import Raft
import RaftCore
import SegmentLog

/// Inputs to begin with: what chance would need long to find.
enum Seeds {
    /// Writes one file for each seed of the target into a directory.
    static func write(_ target: FuzzTarget, to directory: String) throws {
        for (number, seed) in try seeds(target).enumerated() {
            guard let file = fopen("\(directory)/seed-\(number)", "w") else { continue }
            _ = seed.withUnsafeReadableBytes { fwrite($0.baseAddress, 1, $0.count, file) }
            fclose(file)
        }
    }

    private static func seeds(_ target: FuzzTarget) throws -> [ByteBuffer] {
        switch target {
        case .blocks: [block(.off).bytes.joined, block(.zstd(level: 1)).bytes.joined]
        case .batches: try Codec.allCases.map { try batch($0) }
        case .peers: peerFrames
        case .commands: commands.map { $0.encoded() }
        case .broker: try requests()
        case .frames, .requests, .segments, .sidecars, .states: []
        }
    }

    private static func block(_ compression: BlockCompression) -> Block {
        let entries = (0..<3).map { number in
            Entry(
                type: .command, head: ByteBuffer(string: "head \(number)"),
                payload: ByteBuffer(repeating: 65, count: 200))
        }
        return BlockEncoder().encode(entries, shard: .metadata, compression: compression)
            .stamp(base: LogIndex(5), term: Term(2), segment: LogIndex(1))
    }

    private static func batch(_ codec: Codec) throws -> ByteBuffer {
        var builder = RecordBatchBuilder(codec: codec)
        for number in 0..<3 {
            builder.append(
                key: ByteBuffer(string: "key"), value: ByteBuffer(repeating: 66, count: 100),
                timestamp: 1_767_225_600_000 + Int64(number))
        }
        return try builder.build().bytes
    }

    private static var peerFrames: [ByteBuffer] {
        let block = block(.off)
        let request = AppendRequest(
            term: Term(2), epoch: 1, previousIndex: LogIndex(4), previousTerm: Term(1), commit: LogIndex(4), round: 1,
            blocks: [BlockInfo(base: block.base, count: block.count, term: block.term, bytes: block.encodedSize)])
        let vote = VoteRequest(term: Term(2), lastIndex: LogIndex(3), lastTerm: Term(1))
        let messages = [
            PeerMessage(shard: .metadata, message: .appendRequest(request), blocks: [block]),
            PeerMessage(shard: .metadata, message: .voteRequest(vote)),
            PeerMessage(shard: .metadata, message: .voteResponse(VoteResponse(term: Term(2), granted: true))),
        ]
        let frames = messages.map { PeerFrame.raft($0) } + [
            .hello(PeerHello(broker: registration, shardCount: 1)),
            .forward(id: 1, request: ByteBuffer(string: "request")), .forwarded(id: 1, response: nil),
        ]
        return frames.map { frame in
            var bytes = ByteBuffer()
            for part in PeerFrameCodec.encode(frame) { bytes.writeImmutableBuffer(part) }
            bytes.moveReaderIndex(forwardBy: 4)
            return bytes
        }
    }

    private static let registration = BrokerRegistration(id: NodeID(1), host: "broker-1", port: 9_092, rack: nil)

    private static var commands: [Command] {
        [.registerBroker(registration), .initializeCluster(id: "cluster"), .allocateProducerID]
    }

    /// One request of each API, with a partition of the topic that exists.
    private static func requests() throws -> [ByteBuffer] {
        let produce = ProduceRequest { request in
            request.acks = -1
            request.topics = [
                ProduceRequest.Topic {
                    $0.name = BrokerTarget.topic
                    $0.partitions = [ProduceRequest.Partition { $0.records = try? batch(.none) }]
                }
            ]
        }
        let fetch = FetchRequest { request in
            request.maxBytes = 1_000
            request.topics = [
                FetchRequest.Topic {
                    $0.name = BrokerTarget.topic
                    $0.partitions = [FetchRequest.Partition { $0.partitionMaxBytes = 1_000 }]
                }
            ]
        }
        return [
            try frame(produce, 9), try frame(fetch, 12), try frame(ListOffsetsRequest(), 7),
            try frame(MetadataRequest(), 12), try frame(ApiVersionsRequest(), 3), try frame(CreateTopicsRequest(), 7),
            try frame(DeleteTopicsRequest(), 6), try frame(InitProducerIDRequest(), 4),
            try frame(OffsetForLeaderEpochRequest(), 4), try frame(DescribeConfigsRequest(), 4),
            try frame(CreatePartitionsRequest(), 3), try frame(DescribeClusterRequest(), 0),
        ]
    }

    /// A request as `BrokerTarget` reads it.
    private static func frame(_ request: some KafkaRequest, _ version: Int16) throws -> ByteBuffer {
        let frame = try WireFrame(request, version: version, correlationID: 1, clientID: "fuzz").withoutLength
        var bytes = ByteBuffer(integer: UInt16(frame.readableBytes))
        bytes.writeImmutableBuffer(frame)
        return bytes
    }
}
