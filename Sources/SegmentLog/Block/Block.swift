import Basics
import NIOCore

/// Consecutive entries of one term, encoded once by the leader: the unit that is compressed, sent, stored and read.
///
/// A value that never changes; the same bytes on every replica (byte table: `BlockFormat`).
public struct Block: Hashable, Sendable {
    public let header: BlockHeader
    /// The whole encoded block.
    public let bytes: ByteBuffer
    /// The payload before compression, when it is at hand: always for a raw block, for a compressed one if its
    /// encoder or a reader attached it.
    public let rawPayload: ByteBuffer?

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
    var attachedPayloadBytes: Int { codec == .raw ? 0 : rawPayload?.readableBytes ?? 0 }
    /// The same block with nothing but its encoded bytes.
    var withoutAttachedPayload: Block { Block(header: header, bytes: bytes, rawPayload: nil) }

    /// `bytes` has been verified, or has just been encoded.
    init(header: BlockHeader, bytes: ByteBuffer, rawPayload: ByteBuffer?) {
        self.header = header
        self.bytes = bytes
        switch header.codec {
        case .raw: self.rawPayload = Self.storedPayload(of: bytes, header)
        case .zstd: self.rawPayload = rawPayload
        }
    }

    public var entries: BlockEntries {
        let start = bytes.readerIndex + BlockFormat.headerBytes
        guard let directory = bytes.getSlice(at: start, length: header.directoryLength) else {
            preconditionFailure("invariant broken: block \(base) is shorter than its directory")
        }
        return BlockEntries(base: base, count: count, directory: directory)
    }

    public var heads: BlockHeads { BlockHeads(header: header, entries: entries) }

    /// The payload before compression. Decompresses unless it is at hand, so call it off the loop for cold blocks.
    public func payload() throws(BlockError) -> ByteBuffer {
        if let rawPayload { return rawPayload }
        return try ZstdDecompressor.decompress(Self.storedPayload(of: bytes, header), rawLength: header.rawLength)
    }

    /// The same block with its decompressed payload attached.
    public func withRawPayload(_ payload: ByteBuffer) -> Block {
        invariant(payload.readableBytes == header.rawLength, "payload of block \(base) has the wrong length")
        return Block(header: header, bytes: bytes, rawPayload: payload)
    }

    private static func storedPayload(of bytes: ByteBuffer, _ header: BlockHeader) -> ByteBuffer {
        let start = bytes.readerIndex + header.payloadStart
        guard let payload = bytes.getSlice(at: start, length: header.storedLength) else {
            preconditionFailure("invariant broken: block \(header.base) is shorter than its payload")
        }
        return payload
    }

    public static func == (a: Block, b: Block) -> Bool { a.bytes == b.bytes }
    public func hash(into hasher: inout Hasher) { hasher.combine(header) }
}

extension Block {
    /// Verifies and takes the one block that `bytes` holds. Shares the storage of `bytes`.
    public static func decode(_ bytes: ByteBuffer) throws(BlockError) -> Block {
        var rest = bytes
        let block = try decode(from: &rest)
        guard rest.readableBytes == 0 else { throw .trailingBytes(rest.readableBytes) }
        return block
    }

    /// Verifies and takes the block at the front of `buffer`, which is unchanged if that fails. Lengths are bounded
    /// before anything is done with them.
    public static func decode(from buffer: inout ByteBuffer) throws(BlockError) -> Block {
        let result: Result<BlockHeader, BlockError> = buffer.withUnsafeReadableBytes { raw in
            do throws(BlockError) { return .success(try verify(raw)) } catch { return .failure(error) }
        }
        let header = try result.get()
        guard let bytes = buffer.readSlice(length: header.encodedSize) else {
            throw .truncated(needed: header.encodedSize, available: buffer.readableBytes)
        }
        return Block(header: header, bytes: bytes, rawPayload: nil)
    }

    /// Everything that can be wrong with a block, in the order of cost.
    static func verify(_ raw: UnsafeRawBufferPointer) throws(BlockError) -> BlockHeader {
        let header = try BlockHeader.parse(raw)
        guard raw.count >= header.encodedSize else {
            throw .truncated(needed: header.encodedSize, available: raw.count)
        }
        try header.verifyDirectory(raw)
        let payloadEnd = header.payloadStart + header.storedLength
        guard crc32c(raw[header.payloadStart ..< payloadEnd]) == header.payloadChecksum else {
            throw .payloadChecksumMismatch
        }
        guard raw.isZero(payloadEnd ..< header.encodedSize) else { throw .nonZeroPadding }
        return header
    }
}
