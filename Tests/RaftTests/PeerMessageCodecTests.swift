import Basics
import NIOCore
import RaftCore
import SegmentLog
import Testing

@testable import Raft

@Suite struct PeerMessageCodecTests {
    private static func block(_ base: UInt64, _ texts: [String], term: UInt64 = 3) -> Block {
        BlockEncoder().encode(
            texts.map { Entry(payload: ByteBuffer(string: $0)) }, shard: ShardID(5), compression: .zstd(level: 1)
        ).stamp(base: LogIndex(base), term: Term(term), segment: LogIndex(1))
    }

    private static let vote = VoteRequest(term: Term(7), lastIndex: LogIndex(8), lastTerm: Term(6))

    private static func append(_ blocks: [Block]) -> PeerMessage {
        let request = AppendRequest(
            term: Term(9), epoch: 10, previousIndex: LogIndex(11), previousTerm: Term(3), commit: LogIndex(12),
            round: 13, blocks: blocks.map(\.info))
        return PeerMessage(shard: ShardID(5), message: .appendRequest(request), blocks: blocks)
    }

    private static func response(_ outcome: AppendResponse.Outcome) -> PeerMessage {
        PeerMessage(
            shard: ShardID(5),
            message: .appendResponse(AppendResponse(term: Term(1), epoch: 2, round: 3, outcome: outcome)))
    }

    static let messages: [PeerMessage] = [
        PeerMessage(shard: .metadata, message: .preVoteRequest(vote)),
        PeerMessage(shard: ShardID(5), message: .voteRequest(vote)),
        PeerMessage(shard: .metadata, message: .preVoteResponse(VoteResponse(term: Term(4), granted: true))),
        PeerMessage(shard: .metadata, message: .voteResponse(VoteResponse(term: Term(4), granted: false))),
        append([]),
        append([block(12, ["a"])]),
        append([block(12, ["a", "b", ""]), block(15, [String(repeating: "c", count: 5_000)])]),
        response(.matched(flushed: LogIndex(99))),
        response(.conflict(rejected: LogIndex(30), hintIndex: LogIndex(20), hintTerm: Term(2))),
    ]

    private static func bytes(_ message: PeerMessage) -> ByteBuffer {
        var whole = ByteBuffer()
        for part in PeerMessageCodec.encode(message) { whole.writeImmutableBuffer(part) }
        return whole
    }

    @Test(arguments: messages.indices) func `a message comes back as it was`(index: Int) throws {
        let message = Self.messages[index]
        let decoded = try PeerMessageCodec.decode(Self.bytes(message))
        #expect(decoded.shard == message.shard)
        #expect(decoded.message == message.message)
        #expect(decoded.blocks == message.blocks)
    }

    @Test func `blocks are passed on without a copy`() throws {
        let block = Self.block(12, ["a"])
        let parts = PeerMessageCodec.encode(Self.append([block]))
        #expect(parts.count == 2)
        let original = block.bytes[0].withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
        #expect(parts[1].withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) } == original)
    }

    /// Brokers of different versions speak with each other during an upgrade: the bytes are fixed.
    @Test func `a vote request has these bytes`() {
        let expected: [UInt8] = [
            3, 0, 5, 0, 0x4A, 0x39, 0x54, 0x9C, 7, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0,
        ]
        #expect(Self.bytes(Self.messages[1]) == ByteBuffer(bytes: expected))
    }

    @Test(arguments: messages.indices) func `a message that is cut off anywhere is refused`(index: Int) {
        let whole = Self.bytes(Self.messages[index])
        for length in 0..<whole.readableBytes {
            let cut = whole.getSlice(at: 0, length: length) ?? ByteBuffer()
            #expect(throws: PeerMessageError.self) { try PeerMessageCodec.decode(cut) }
        }
    }

    @Test(arguments: messages.indices) func `a message with something behind it is refused when it has blocks`(
        index: Int
    ) {
        let message = Self.messages[index]
        var longer = Self.bytes(message)
        longer.writeRepeatingByte(0, count: 8)
        guard case .appendRequest = message.message else { return }
        #expect(throws: PeerMessageError.blockCountMismatch) { try PeerMessageCodec.decode(longer) }
    }

    @Test(arguments: messages.indices) func `a flipped bit is noticed, wherever it is`(index: Int) {
        let whole = Array(Self.bytes(Self.messages[index]).readableBytesView)
        for position in whole.indices {
            var damaged = whole
            damaged[position] ^= 1 << UInt8(position % 8)
            #expect(throws: PeerMessageError.self) { try PeerMessageCodec.decode(ByteBuffer(bytes: damaged)) }
        }
    }

    @Test func `a number of blocks that cannot be is refused before anything is kept for them`() {
        var bytes = Self.bytes(Self.append([]))
        bytes.setInteger(UInt64.max, at: 8 + 6 * 8, endianness: .little)
        #expect(throws: PeerMessageError.truncated) { try PeerMessageCodec.decode(bytes) }
    }

    @Test(arguments: 0..<20 as Range<UInt64>) func `no bytes at all trap the decoder`(seed: UInt64) {
        var random = RandomSource(seed: seed)
        for _ in 0..<300 {
            var bytes = (0..<Int.random(in: 0...300, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            if !bytes.isEmpty { bytes[0] = UInt8.random(in: 0...7, using: &random) }
            #expect(throws: PeerMessageError.self) { try PeerMessageCodec.decode(ByteBuffer(bytes: bytes)) }
        }
    }
}
