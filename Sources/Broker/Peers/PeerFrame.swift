import Basics
import NIOCore
import Raft
import SegmentLog

/// What travels between two brokers besides Raft messages, and the envelope of all of it.
public enum PeerFrame: Sendable {
    /// The first frame on every connection, from the side that dialled.
    case hello(PeerHello)
    case raft(PeerMessage)
    /// A client's request that another broker must carry out (in the manner of Kafka's Envelope, KIP-590).
    case forward(id: UInt64, request: ByteBuffer)
    /// Its answer, without Kafka's frame length; nil when the other broker could not carry it out.
    case forwarded(id: UInt64, response: ByteBuffer?)
}

/// Who dials, and where clients reach it.
public struct PeerHello: Hashable, Sendable {
    public static let version: UInt16 = 1
    public var broker: BrokerRegistration
    public var shardCount: UInt16

    public init(broker: BrokerRegistration, shardCount: UInt16) {
        self.broker = broker
        self.shardCount = shardCount
    }
}

/// Why bytes on a peer connection are no frame; the connection is closed.
public enum PeerFrameError: Error, Hashable, Sendable {
    case truncated
    case unknownKind(UInt8)
    /// The other side is no Martlet, or one of another version.
    case notAPeer
    case raft(PeerMessageError)
}

/// The bytes of a `PeerFrame`: a length of 4 (of what follows it), then a kind of 1, then the content. Little-endian.
///
/// | kind | content |
/// |---|---|
/// | 1 hello | magic "MRTL" 4, version 2, shard count 2, then the command `registerBroker` as in `Command` |
/// | 2 raft | `PeerMessageCodec` |
/// | 3 forward | id 8, Kafka request (header and body) |
/// | 4 forwarded | id 8, 1 if carried out else 0, Kafka response (header and body) |
public enum PeerFrameCodec {
    /// Largest frame accepted: an append request with its blocks, or a forwarded request.
    public static let frameBytesMax = 128.mebibytes
    /// Largest first frame accepted: a hello has two strings of at most 64 KiB.
    public static let helloBytesMax = 256.kibibytes
    static let magic: UInt32 = 0x4C54_524D

    /// The frame as consecutive buffers; blocks are not copied.
    public static func encode(_ frame: PeerFrame) -> [ByteBuffer] {
        var start = ByteBuffer()
        var rest: [ByteBuffer] = []
        start.writeInteger(UInt32(0))
        switch frame {
        case .hello(let hello):
            start.writeMultipleIntegers(UInt8(1), magic, PeerHello.version, hello.shardCount, endianness: .little)
            start.writeImmutableBuffer(Command.registerBroker(hello.broker).encoded())
        case .raft(let message):
            start.writeInteger(UInt8(2))
            rest = PeerMessageCodec.encode(message)
        case .forward(let id, let request):
            start.writeMultipleIntegers(UInt8(3), id, endianness: .little)
            rest = [request]
        case .forwarded(let id, let response):
            start.writeMultipleIntegers(UInt8(4), id, UInt8(response == nil ? 0 : 1), endianness: .little)
            if let response { rest = [response] }
        }
        let length = start.readableBytes - 4 + rest.reduce(0) { $0 + $1.readableBytes }
        start.setInteger(UInt32(length), at: 0, endianness: .little)
        return [start] + rest
    }

    /// Decodes what follows the length.
    public static func decode(_ bytes: ByteBuffer) throws(PeerFrameError) -> PeerFrame {
        try decode(BufferChain(bytes))
    }

    /// The same of a frame that came in several pieces; blocks are not copied.
    public static func decode(_ frame: BufferChain) throws(PeerFrameError) -> PeerFrame {
        guard let kind: UInt8 = frame.integer(at: 0, endianness: .little) else { throw .truncated }
        let content = frame.part(1 ..< frame.byteCount)
        if kind == 2 {
            do {
                return .raft(try PeerMessageCodec.decode(content))
            } catch {
                throw .raft(error)
            }
        }
        return try decode(kind, content.joined)
    }

    private static func decode(_ kind: UInt8, _ content: ByteBuffer) throws(PeerFrameError) -> PeerFrame {
        var bytes = content
        switch kind {
        case 1:
            return .hello(try hello(&bytes))
        case 3:
            guard let id: UInt64 = bytes.readInteger(endianness: .little) else { throw .truncated }
            return .forward(id: id, request: bytes)
        case 4:
            guard let id: UInt64 = bytes.readInteger(endianness: .little), let isDone: UInt8 = bytes.readInteger()
            else { throw .truncated }
            return .forwarded(id: id, response: isDone == 0 ? nil : bytes)
        default:
            throw .unknownKind(kind)
        }
    }

    private static func hello(_ bytes: inout ByteBuffer) throws(PeerFrameError) -> PeerHello {
        guard let (magic, version, shardCount) = bytes.readMultipleIntegers(
            endianness: .little, as: (UInt32, UInt16, UInt16).self)
        else { throw .truncated }
        guard magic == Self.magic, version == PeerHello.version else { throw .notAPeer }
        guard case .registerBroker(let broker) = try? Command.decode(bytes) else { throw .truncated }
        return PeerHello(broker: broker, shardCount: shardCount)
    }
}
