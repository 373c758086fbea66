import Basics
import NIOCore

/// Consecutive entries of one term, encoded once by the leader: the unit that is compressed, sent, stored and read.
///
/// A value that never changes; the same bytes on every replica (byte table: `BlockFormat`).
public struct Block: Hashable, Sendable {
    public let header: BlockHeader
    /// The whole encoded block. Header and directory lie in the first buffer; what follows may be the entries' payloads
    /// where they were when the block was encoded.
    public let bytes: BufferChain
    /// The payload before compression, when it is at hand: always for a raw block, for a compressed one if its
    /// encoder or a reader attached it.
    public var rawPayload: BlockPayload? {
        codec == .raw
            ? BlockPayload(bytes, from: header.payloadStart, byteCount: header.rawLength)
            : attachedPayload.map { BlockPayload($0) }
    }
    /// Of a compressed block.
    private let attachedPayload: ByteBuffer?

    public var base: LogIndex { header.base }
    public var last: LogIndex { header.last }
    public var count: Int { header.count }
    public var term: Term { header.term }
    public var segment: LogIndex { header.segment }
    public var shard: ShardID { header.shard }
    public var codec: BlockCodec { header.codec }
    /// Bytes on disk and on the wire.
    public var encodedSize: Int { header.encodedSize }
    /// Bytes that the block holds in memory, about.
    public var residentSize: Int { encodedSize + attachedPayloadBytes }
    /// Bytes of the decompressed payload that is kept beside the compressed one.
    var attachedPayloadBytes: Int { attachedPayload?.readableBytes ?? 0 }
    /// The same block with nothing but its encoded bytes.
    var withoutAttachedPayload: Block { Block(header: header, bytes: bytes, attachedPayload: nil) }

    /// `bytes` has been verified, or has just been encoded.
    init(header: BlockHeader, bytes: BufferChain, attachedPayload: ByteBuffer?) {
        self.header = header
        self.bytes = bytes
        self.attachedPayload = header.codec == .raw ? nil : attachedPayload
    }

    public var entries: BlockEntries {
        let directory = bytes.slice(BlockFormat.headerBytes ..< header.payloadStart)
        return BlockEntries(base: base, count: count, directory: directory)
    }

    public var heads: BlockHeads { BlockHeads(header: header, entries: entries) }

    /// The payload before compression. Decompresses unless it is at hand, so call it off the loop for cold blocks.
    public func payload() throws(BlockError) -> BlockPayload {
        if let rawPayload { return rawPayload }
        let stored = bytes.slice(header.payloadStart ..< header.payloadStart + header.storedLength)
        return BlockPayload(try ZstdDecompressor.decompress(stored, rawLength: header.rawLength))
    }

    /// The same block with its decompressed payload attached.
    public func withRawPayload(_ payload: BlockPayload) -> Block {
        invariant(payload.byteCount == header.rawLength, "payload of block \(base) has the wrong length")
        return Block(header: header, bytes: bytes, attachedPayload: payload.joined)
    }

    public static func == (a: Block, b: Block) -> Bool { a.bytes == b.bytes }
    public func hash(into hasher: inout Hasher) { hasher.combine(header) }
}

extension Block {
    /// Verifies and takes the one block that `bytes` holds. Shares the memory of `bytes`.
    public static func decode(_ bytes: ByteBuffer) throws(BlockError) -> Block { try decode(BufferChain(bytes)) }

    /// The same of bytes that came in several pieces. Copies header and directory if those are divided.
    public static func decode(_ bytes: BufferChain) throws(BlockError) -> Block {
        let front = bytes.joiningFirst(min(bytes.byteCount, BlockHeader.size))
        let start = try BlockHeader.peek(front[0])
        guard bytes.byteCount >= start.encodedSize else {
            throw .truncated(needed: start.encodedSize, available: bytes.byteCount)
        }
        guard bytes.byteCount == start.encodedSize else {
            throw .trailingBytes(bytes.byteCount - start.encodedSize)
        }
        let whole = front.joiningFirst(start.payloadStart)
        return Block(header: try verify(whole), bytes: whole, attachedPayload: nil)
    }

    /// Verifies and takes the block at the front of `buffer`, which is unchanged if that fails. Lengths are bounded
    /// before anything is done with them.
    public static func decode(from buffer: inout ByteBuffer) throws(BlockError) -> Block {
        let header = try BlockHeader.peek(buffer)
        guard let bytes = buffer.getSlice(at: buffer.readerIndex, length: header.encodedSize) else {
            throw .truncated(needed: header.encodedSize, available: buffer.readableBytes)
        }
        let block = try decode(bytes)
        buffer.moveReaderIndex(forwardBy: header.encodedSize)
        return block
    }

    /// Everything that can be wrong with a block, in the order of cost. `raw` holds at least the block.
    static func verify(_ raw: UnsafeRawBufferPointer) throws(BlockError) -> BlockHeader {
        let header = try BlockHeader.parse(raw)
        guard raw.count >= header.encodedSize else {
            throw .truncated(needed: header.encodedSize, available: raw.count)
        }
        try header.verifyDirectory(raw)
        var payload = PayloadCheck(header)
        payload.take(UnsafeRawBufferPointer(rebasing: raw[..<header.encodedSize]))
        try payload.finish()
        return header
    }

    /// The same of exactly one block, whose header and directory lie in the first buffer.
    private static func verify(_ bytes: BufferChain) throws(BlockError) -> BlockHeader {
        let header = try BlockHeader.peek(bytes[0])
        let directory: Result<Void, BlockError> = bytes[0].withUnsafeReadableBytes { raw in
            Result { () throws(BlockError) in try header.verifyDirectory(raw) }
        }
        try directory.get()
        var payload = PayloadCheck(header)
        for buffer in bytes { buffer.withUnsafeReadableBytes { payload.take($0) } }
        try payload.finish()
        return header
    }
}

/// Verifies a block's payload and padding; takes the whole block, in pieces.
private struct PayloadCheck {
    private let expected: UInt32
    /// Bytes that come before the payload.
    private var before: Int
    private var left: Int
    private var checksum: UInt32 = 0
    private var paddingIsZero = true

    init(_ header: BlockHeader) {
        expected = header.payloadChecksum
        before = header.payloadStart
        left = header.storedLength
    }

    mutating func take(_ piece: UnsafeRawBufferPointer) {
        let start = min(before, piece.count)
        let end = start + min(left, piece.count - start)
        checksum = crc32c(piece[start ..< end], seed: checksum)
        before -= start
        left -= end - start
        if left == 0, !piece.isZero(end ..< piece.count) { paddingIsZero = false }
    }

    func finish() throws(BlockError) {
        guard checksum == expected else { throw .payloadChecksumMismatch }
        guard paddingIsZero else { throw .nonZeroPadding }
    }
}
