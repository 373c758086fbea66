import Basics
import NIOCore

/// The fixed part of a block (byte table: `BlockFormat`).
public struct BlockHeader: Hashable, Sendable {
    public static let size = BlockFormat.headerBytes

    public var codec: BlockCodec
    public var shard: ShardID
    /// First index of the segment file the block belongs to: the generation that tells it from stale bytes.
    public var segment: LogIndex
    public var base: LogIndex
    public var term: Term
    public var count: Int
    public var directoryLength: Int
    public var rawLength: Int
    public var storedLength: Int
    public var payloadChecksum: UInt32
    /// CRC-32C of the header and the directory: names the block's content, since it covers `payloadChecksum`.
    public var headerChecksum: UInt32

    /// Index of the last entry.
    public var last: LogIndex { base + (count - 1) }
    /// Bytes of the whole block, padding included.
    public var encodedSize: Int { BlockFormat.padded(BlockFormat.headerBytes + directoryLength + storedLength) }

    var payloadStart: Int { BlockFormat.headerBytes + directoryLength }

    /// Reads the header at the front of `bytes`: magic, version and bounds are checked, the checksum is not, because
    /// it covers the directory too. Use it to learn how many bytes to wait for.
    public static func peek(_ bytes: ByteBuffer) throws(BlockError) -> BlockHeader {
        let result: Result<BlockHeader, BlockError> = bytes.withUnsafeReadableBytes { raw in
            do throws(BlockError) { return .success(try parse(raw)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    static func parse(_ raw: UnsafeRawBufferPointer) throws(BlockError) -> BlockHeader {
        guard raw.count >= size else { throw .truncated(needed: size, available: raw.count) }
        let magic = raw.number(UInt32.self, at: 0)
        guard magic == BlockFormat.magic else { throw .badMagic(magic) }
        guard raw[4] == BlockFormat.version else { throw .unsupportedVersion(raw[4]) }
        guard let codec = BlockCodec(rawValue: raw[5]) else { throw .unsupportedCodec(raw[5]) }
        let header = BlockHeader(
            codec: codec,
            shard: ShardID(raw.number(UInt16.self, at: 6)),
            segment: LogIndex(raw.number(UInt64.self, at: 8)),
            base: LogIndex(raw.number(UInt64.self, at: 16)),
            term: Term(raw.number(UInt64.self, at: 24)),
            count: Int(raw.number(UInt32.self, at: 32)),
            directoryLength: Int(raw.number(UInt32.self, at: 36)),
            rawLength: Int(raw.number(UInt32.self, at: 40)),
            storedLength: Int(raw.number(UInt32.self, at: 44)),
            payloadChecksum: raw.number(UInt32.self, at: 48),
            headerChecksum: raw.number(UInt32.self, at: 60)
        )
        try header.checkBounds()
        guard raw.number(UInt64.self, at: 52) == 0 else { throw .outOfBounds(field: "reserved bytes") }
        return header
    }

    private func checkBounds() throws(BlockError) {
        guard base.rawValue >= 1, base.rawValue < BlockLimits.indexMax else { throw .outOfBounds(field: "base") }
        guard segment.rawValue >= 1, segment <= base else { throw .outOfBounds(field: "segment") }
        guard term.rawValue < BlockLimits.indexMax else { throw .outOfBounds(field: "term") }
        guard directoryLength <= BlockLimits.directoryBytesMax else { throw .outOfBounds(field: "directory length") }
        guard count >= 1, count <= directoryLength / BlockFormat.entryRecordBytes else {
            throw .outOfBounds(field: "entry count")
        }
        guard rawLength <= BlockLimits.payloadBytesMax else { throw .outOfBounds(field: "raw length") }
        switch codec {
        case .raw: guard storedLength == rawLength else { throw .outOfBounds(field: "stored length") }
        case .zstd: guard storedLength < rawLength else { throw .outOfBounds(field: "stored length") }
        }
    }

    /// Writes the header without its checksum.
    func write(to raw: UnsafeMutableRawBufferPointer) {
        raw.put(BlockFormat.magic, at: 0)
        raw.put(BlockFormat.version, at: 4)
        raw.put(codec.rawValue, at: 5)
        raw.put(shard.rawValue, at: 6)
        raw.put(segment.rawValue, at: 8)
        raw.put(base.rawValue, at: 16)
        raw.put(term.rawValue, at: 24)
        raw.put(UInt32(count), at: 32)
        raw.put(UInt32(directoryLength), at: 36)
        raw.put(UInt32(rawLength), at: 40)
        raw.put(UInt32(storedLength), at: 44)
        raw.put(payloadChecksum, at: 48)
        raw.put(UInt64(0), at: 52)
    }

    /// Verifies what `headerChecksum` covers and that the directory adds up. `raw` holds at least both.
    func verifyDirectory(_ raw: UnsafeRawBufferPointer) throws(BlockError) {
        guard raw.count >= payloadStart else { throw .truncated(needed: payloadStart, available: raw.count) }
        guard Self.checksum(raw, directoryLength: directoryLength) == headerChecksum else {
            throw .headerChecksumMismatch
        }
        let recordBytes = BlockFormat.entryRecordBytes
        var heads = 0
        var payloads = 0
        for record in stride(from: Self.size, to: Self.size + count * recordBytes, by: recordBytes) {
            guard EntryType(rawValue: raw[record]) != nil, raw[record + 1] == 0 else { throw .inconsistentDirectory }
            heads += Int(raw.number(UInt16.self, at: record + 2))
            payloads += Int(raw.number(UInt32.self, at: record + 4))
        }
        guard count * recordBytes + heads == directoryLength, payloads == rawLength else {
            throw .inconsistentDirectory
        }
    }

    static func checksum(_ raw: UnsafeRawBufferPointer, directoryLength: Int) -> UInt32 {
        crc32c(raw[size ..< size + directoryLength], seed: crc32c(raw[0 ..< size - 4]))
    }
}
