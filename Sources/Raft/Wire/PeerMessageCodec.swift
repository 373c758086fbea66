import Basics
import CMartlet
import NIOCore
import RaftCore
import SegmentLog

/// Why bytes from a peer are not a message.
public enum PeerMessageError: Error, Hashable, Sendable {
    case truncated
    case unknownKind(UInt8)
    case checksumMismatch
    case blockCountMismatch
    case block(BlockError)
}

/// The bytes of a `PeerMessage`. All integers little-endian.
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 1 | kind: pre-vote request 1 and response 2, vote request 3 and response 4, append request 5 and response 6 |
/// | 1 | 1 | zero |
/// | 2 | 2 | shard |
/// | 4 | 4 | CRC-32C of bytes 0–3 and of the body |
/// | 8 | … | body, by kind, see below |
/// | … | … | append request only: the blocks, verbatim, in order |
///
/// | kind | body |
/// |---|---|
/// | 1, 3 | term 8, last index 8, last term 8 |
/// | 2, 4 | term 8, granted 8 (0 or 1) |
/// | 5 | term 8, epoch 8, previous index 8, previous term 8, commit 8, round 8, number of blocks 8, length of each 8 |
/// | 6, matched | term 8, epoch 8, round 8, zero 8, flushed 8, zero 16 |
/// | 6, conflict | term 8, epoch 8, round 8, one 8, rejected 8, hint index 8, hint term 8 |
///
/// A block is protected by its own checksums, so the message's covers only what is not a block.
public enum PeerMessageCodec {
    private enum Kind: UInt8 {
        case preVoteRequest = 1
        case preVoteResponse, voteRequest, voteResponse, appendRequest, appendResponse
    }

    static let prefixBytes = 8

    /// The message as consecutive buffers: one with everything small, then those of the blocks, uncopied.
    public static func encode(_ message: PeerMessage) -> [ByteBuffer] {
        var words: [UInt64] = []
        let kind = append(message.message, blocks: message.blocks, to: &words)
        var buffer = ByteBuffer()
        buffer.reserveCapacity(prefixBytes + words.count * 8)
        buffer.writeMultipleIntegers(kind.rawValue, UInt8(0), message.shard.rawValue, UInt32(0), endianness: .little)
        for word in words { buffer.writeInteger(word, endianness: .little) }
        let sum = checksum(buffer, bodyBytes: words.count * 8)
        buffer.setInteger(sum, at: buffer.readerIndex + 4, endianness: .little)
        var buffers = [buffer]
        for block in message.blocks { buffers += block.bytes }
        return buffers
    }

    /// Decodes a message that fills `bytes` exactly, and checks every block's checksums.
    public static func decode(_ bytes: ByteBuffer) throws(PeerMessageError) -> PeerMessage {
        try decode(BufferChain(bytes))
    }

    /// The same of bytes that came in several pieces; the blocks stay in those.
    public static func decode(_ bytes: BufferChain) throws(PeerMessageError) -> PeerMessage {
        var reader = WordReader(bytes: bytes)
        guard bytes.byteCount >= prefixBytes,
            let rawKind: UInt8 = bytes.integer(at: 0, endianness: .little),
            let shard: UInt16 = bytes.integer(at: 2, endianness: .little),
            let expected: UInt32 = bytes.integer(at: 4, endianness: .little)
        else { throw .truncated }
        guard let kind = Kind(rawValue: rawKind) else { throw .unknownKind(rawKind) }
        let decoded = try message(of: kind, &reader)
        let body = bytes.slice(0 ..< reader.position)
        guard checksum(body, bodyBytes: reader.position - prefixBytes) == expected else { throw .checksumMismatch }
        var message = PeerMessage(shard: ShardID(shard), message: decoded.message)
        if case .appendRequest(var request) = decoded.message {
            message.blocks = try blocks(decoded.blockLengths, in: bytes, from: reader.position)
            request.blocks = message.blocks.map(\.info)
            message.message = .appendRequest(request)
        }
        return message
    }

    private static func checksum(_ bytes: ByteBuffer, bodyBytes: Int) -> UInt32 {
        bytes.withUnsafeReadableBytes { raw in
            let head = martlet_crc32c(0, raw.baseAddress, 4)
            return martlet_crc32c(head, raw.baseAddress.map { $0 + prefixBytes }, bodyBytes)
        }
    }

    private static func append(_ message: Message, blocks: [Block], to words: inout [UInt64]) -> Kind {
        switch message {
        case .preVoteRequest(let request), .voteRequest(let request):
            words = [request.term.rawValue, request.lastIndex.rawValue, request.lastTerm.rawValue]
            if case .preVoteRequest = message { return .preVoteRequest }
            return .voteRequest
        case .preVoteResponse(let response), .voteResponse(let response):
            words = [response.term.rawValue, response.granted ? 1 : 0]
            if case .preVoteResponse = message { return .preVoteResponse }
            return .voteResponse
        case .appendRequest(let request):
            words = [
                request.term.rawValue, request.epoch, request.previousIndex.rawValue, request.previousTerm.rawValue,
                request.commit.rawValue, request.round, UInt64(blocks.count),
            ]
            for block in blocks { words.append(UInt64(block.encodedSize)) }
            return .appendRequest
        case .appendResponse(let response):
            words = [response.term.rawValue, response.epoch, response.round]
            switch response.outcome {
            case .matched(let flushed): words += [0, flushed.rawValue, 0, 0]
            case .conflict(let rejected, let index, let term):
                words += [1, rejected.rawValue, index.rawValue, term.rawValue]
            }
            return .appendResponse
        }
    }

    private static func message(
        of kind: Kind, _ reader: inout WordReader
    ) throws(PeerMessageError) -> (message: Message, blockLengths: [Int]) {
        switch kind {
        case .preVoteRequest, .voteRequest:
            let request = VoteRequest(
                term: Term(try reader.next()), lastIndex: LogIndex(try reader.next()),
                lastTerm: Term(try reader.next()))
            return (kind == .voteRequest ? .voteRequest(request) : .preVoteRequest(request), [])
        case .preVoteResponse, .voteResponse:
            let response = VoteResponse(term: Term(try reader.next()), granted: try reader.next() != 0)
            return (kind == .voteResponse ? .voteResponse(response) : .preVoteResponse(response), [])
        case .appendRequest:
            let request = AppendRequest(
                term: Term(try reader.next()), epoch: try reader.next(), previousIndex: LogIndex(try reader.next()),
                previousTerm: Term(try reader.next()), commit: LogIndex(try reader.next()), round: try reader.next(),
                blocks: [])
            let count = try reader.next()
            guard count <= UInt64(reader.wordsLeft) else { throw .truncated }
            var lengths: [Int] = []
            for _ in 0..<count { lengths.append(Int(clamping: try reader.next())) }
            return (.appendRequest(request), lengths)
        case .appendResponse:
            let term = Term(try reader.next()), epoch = try reader.next(), round = try reader.next()
            let isConflict = try reader.next() != 0
            let index = LogIndex(try reader.next()), hint = LogIndex(try reader.next()),
                hintTerm = Term(try reader.next())
            return (
                .appendResponse(AppendResponse(
                    term: term, epoch: epoch, round: round,
                    outcome: isConflict
                        ? .conflict(rejected: index, hintIndex: hint, hintTerm: hintTerm) : .matched(flushed: index))),
                []
            )
        }
    }

    private static func blocks(
        _ lengths: [Int], in bytes: BufferChain, from start: Int
    ) throws(PeerMessageError) -> [Block] {
        var blocks: [Block] = []
        var position = start
        for length in lengths {
            guard length <= bytes.byteCount - position else { throw .truncated }
            do {
                blocks.append(try Block.decode(bytes.part(position ..< position + length)))
            } catch {
                throw .block(error)
            }
            position += length
        }
        guard position == bytes.byteCount else { throw .blockCountMismatch }
        return blocks
    }

    private struct WordReader {
        let bytes: BufferChain
        var position = prefixBytes

        var wordsLeft: Int { (bytes.byteCount - position) / 8 }

        mutating func next() throws(PeerMessageError) -> UInt64 {
            guard let word: UInt64 = bytes.integer(at: position, endianness: .little)
            else { throw .truncated }
            position += 8
            return word
        }
    }
}
