import Basics
import KafkaWire
import NIOCore
import Raft
import RaftCore
import SegmentLog
import Testing

@testable import Broker

@Suite struct PeerFrameCodecTests {
    private static func block() -> Block {
        BlockEncoder().encode([Entry(payload: ByteBuffer(string: "hello"))], shard: .metadata, compression: .off)
            .stamp(base: LogIndex(6), term: Term(2), segment: LogIndex(1))
    }

    private static func frames() -> [PeerFrame] {
        let block = block()
        let info = BlockInfo(base: block.base, count: block.count, term: block.term, bytes: block.encodedSize)
        let request = AppendRequest(
            term: Term(3), epoch: 4, previousIndex: LogIndex(5), previousTerm: Term(2), commit: LogIndex(5), round: 6,
            blocks: [info])
        return [
            .hello(PeerHello(broker: BrokerRegistration(id: NodeID(1), host: "h", port: 2, rack: "r"), shardCount: 3)),
            .raft(PeerMessage(shard: .metadata, message: .appendRequest(request), blocks: [block])),
            .raft(PeerMessage(shard: ShardID(9), message: .voteResponse(VoteResponse(term: Term(1), granted: true)))),
            .forward(id: 7, request: ByteBuffer(string: "request")),
            .forwarded(id: 8, response: ByteBuffer(string: "response")),
            .forwarded(id: 9, response: nil),
        ]
    }

    /// A frame as it travels, length included.
    private static func bytes(_ frame: PeerFrame) -> ByteBuffer {
        var whole = ByteBuffer()
        for part in PeerFrameCodec.encode(frame) { whole.writeImmutableBuffer(part) }
        return whole
    }

    private static func body(_ frame: PeerFrame) -> ByteBuffer {
        var body = bytes(frame)
        body.moveReaderIndex(forwardBy: 4)
        return body.slice()
    }

    /// A frame in words, for comparison.
    private static func words(_ frame: PeerFrame) -> String {
        switch frame {
        case .hello(let hello): "hello \(hello)"
        case .raft(let message): "raft \(message.shard) \(message.message) \(message.blocks.map(\.bytes))"
        case .forward(let id, let request): "forward \(id) \(String(buffer: request))"
        case .forwarded(let id, let response): "forwarded \(id) \(response.map { String(buffer: $0) } ?? "nil")"
        }
    }

    @Test(arguments: 0..<6) func `a frame comes back as it was, behind its length`(index: Int) throws {
        let frame = Self.frames()[index]
        let bytes = Self.bytes(frame)
        #expect(bytes.getInteger(at: 0, endianness: .little, as: UInt32.self) == UInt32(bytes.readableBytes - 4))
        #expect(Self.words(try PeerFrameCodec.decode(Self.body(frame))) == Self.words(frame))
    }

    @Test func `a hello has the bytes that the next version will still read`() {
        let hello = PeerHello(broker: BrokerRegistration(id: NodeID(1), host: "h", port: 2), shardCount: 3)
        let expected: [UInt8] = [
            22, 0, 0, 0, 1, 0x4D, 0x52, 0x54, 0x4C, 1, 0, 3, 0, 6, 1, 0, 0, 0, 1, 0, 0x68, 2, 0, 0, 0, 0,
        ]
        #expect(Self.bytes(.hello(hello)) == ByteBuffer(bytes: expected))
    }

    @Test func `whoever is no Martlet, or one of another version, is told apart`() {
        var other = Self.body(Self.frames()[0])
        other.setInteger(UInt8(0x58), at: 1)
        #expect(throws: PeerFrameError.notAPeer) { try PeerFrameCodec.decode(other) }
        var newer = Self.body(Self.frames()[0])
        newer.setInteger(UInt16(2), at: 5, endianness: .little)
        #expect(throws: PeerFrameError.notAPeer) { try PeerFrameCodec.decode(newer) }
    }

    @Test(arguments: [0, 5, 255] as [UInt8]) func `an unknown kind is named`(kind: UInt8) {
        #expect(throws: PeerFrameError.unknownKind(kind)) { try PeerFrameCodec.decode(ByteBuffer(bytes: [kind])) }
    }

    @Test(arguments: 0..<6) func `a frame that is cut off anywhere is refused or shorter, and never traps`(index: Int) {
        let whole = Self.body(Self.frames()[index])
        for length in 0..<whole.readableBytes {
            let cut = whole.getSlice(at: whole.readerIndex, length: length) ?? ByteBuffer()
            // What is passed on is only as long as it says, the rest must be whole.
            if index < 3 { #expect(throws: PeerFrameError.self) { try PeerFrameCodec.decode(cut) } }
            _ = try? PeerFrameCodec.decode(cut)
        }
    }

    @Test func `a flipped bit anywhere in a Raft message is noticed`() {
        let whole = Self.body(Self.frames()[1])
        for position in 1..<whole.readableBytes {
            for bit in 0..<8 {
                var damaged = Array(whole.readableBytesView)
                damaged[position] ^= 1 << UInt8(bit)
                #expect(throws: PeerFrameError.self) { try PeerFrameCodec.decode(ByteBuffer(bytes: damaged)) }
            }
        }
    }

    @Test(arguments: 0..<20 as Range<UInt64>) func `no bytes at all trap the decoder`(seed: UInt64) {
        var random = RandomSource(seed: seed)
        for _ in 0..<300 {
            var bytes = (0..<Int.random(in: 0...200, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            if !bytes.isEmpty { bytes[0] = UInt8.random(in: 0...5, using: &random) }
            if bytes.count > 1, Bool.random(using: &random) { bytes[1] = UInt8.random(in: 0...7, using: &random) }
            let decoded = try? PeerFrameCodec.decode(ByteBuffer(bytes: bytes))
            if case .raft = decoded { Issue.record("noise passed for a Raft message") }
        }
    }
}
