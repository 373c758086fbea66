import Basics
import NIOCore

/// The layout of a sidecar file, version 1: a fixed record, then one record per block of the segment.
///
///     offset size
///          0    4  magic "MIDX"
///          4    4  version, 1
///          8    2  shard
///         10    6  zero
///         16    8  base of the segment
///         24    8  bytes of the segment file
///         32    4  number of blocks, N
///         36    4  CRC-32C of the records
///         40   20  zero
///         60    4  CRC-32C of bytes 0 ..< 60
///         64  32N  records
///
/// A record:
///
///          0    8  base index
///          8    8  term
///         16    8  position in the segment file
///         24    4  bytes
///         28    4  number of entries
extension SegmentTable {
    static let magic: UInt32 = 0x5844_494D
    static let version: UInt32 = 1
    private static let recordBytes = 32

    func sidecar(shard: ShardID) -> ByteBuffer {
        var records = ByteBufferAllocator().buffer(capacity: blocks.count * Self.recordBytes)
        for block in blocks {
            records.writeInteger(block.base.rawValue, endianness: .little)
            records.writeInteger(block.term.rawValue, endianness: .little)
            records.writeInteger(UInt64(block.position), endianness: .little)
            records.writeInteger(block.length, endianness: .little)
            records.writeInteger(block.count, endianness: .little)
        }
        var sidecar = FixedRecord.encode(magic: Self.magic, version: Self.version) { raw in
            raw.put(shard.rawValue, at: 8)
            raw.put(segment.rawValue, at: 16)
            raw.put(UInt64(end), at: 24)
            raw.put(UInt32(blocks.count), at: 32)
            raw.put(records.withUnsafeReadableBytes { crc32c($0) }, at: 36)
        }
        sidecar.writeBuffer(&records)
        return sidecar
    }

    /// The table that a sidecar holds; nil unless it is whole, chains from the first entry on and accounts for every
    /// byte of a segment file of `fileBytes`. A sidecar is never trusted further than that: every read of a block
    /// verifies the block.
    init?(sidecar: ByteBuffer, shard: ShardID, segment: LogIndex, fileBytes: Int) {
        self.init(segment: segment)
        let recordBytes = Self.recordBytes
        let count: Int? = FixedRecord.decode(sidecar, magic: Self.magic, version: Self.version) { raw in
            guard raw.number(UInt16.self, at: 8) == shard.rawValue,
                raw.number(UInt64.self, at: 16) == segment.rawValue,
                raw.number(UInt64.self, at: 24) == UInt64(fileBytes)
            else { return nil }
            let count = Int(raw.number(UInt32.self, at: 32))
            guard raw.count == FixedRecord.size + count * recordBytes,
                crc32c(raw[FixedRecord.size...]) == raw.number(UInt32.self, at: 36)
            else { return nil }
            return count
        }
        guard let count else { return nil }
        let isChain = sidecar.withUnsafeReadableBytes { raw in
            (0 ..< count).allSatisfy { appendRecord(raw, at: FixedRecord.size + $0 * recordBytes) }
        }
        guard isChain, end == fileBytes else { return nil }
    }

    private mutating func appendRecord(_ raw: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        let location = BlockLocation(
            base: LogIndex(raw.number(UInt64.self, at: offset)),
            term: Term(raw.number(UInt64.self, at: offset + 8)),
            position: Int(clamping: raw.number(UInt64.self, at: offset + 16)),
            length: raw.number(UInt32.self, at: offset + 24),
            count: raw.number(UInt32.self, at: offset + 28))
        guard location.base == last.next, location.position == end, location.count >= 1,
            location.length >= BlockFormat.headerBytes, location.length <= BlockLimits.encodedBytesMax,
            location.term >= lastTerm
        else { return false }
        append(location)
        return true
    }

    /// Writes the sidecar whole or not at all. Its name is not made durable: it can be rebuilt.
    func writeSidecar(shard: ShardID, files: any FileSystem, layout: LogLayout) throws(StorageError) {
        let path = layout.sidecar(segment)
        let temporary = layout.temporary(path)
        let file = try files.open(temporary, .create)
        try file.truncate(to: 0)
        try file.write([sidecar(shard: shard)], at: 0)
        try file.flush()
        try files.rename(temporary, to: path)
    }

    /// The table in the sidecar of a segment whose file has `fileBytes`; nil if there is no valid one.
    static func readSidecar(
        _ segment: LogIndex, shard: ShardID, fileBytes: Int, files: any FileSystem, layout: LogLayout
    ) throws(StorageError) -> SegmentTable? {
        let file: any StorageFile
        do throws(StorageError) {
            file = try files.open(layout.sidecar(segment), .read)
        } catch {
            guard case .io(.open, _, .noSuchFile) = error else { throw error }
            return nil
        }
        // No segment of this size has more blocks than that, whatever the sidecar's size says.
        let bytesMax = FixedRecord.size + fileBytes / BlockFormat.headerBytes * recordBytes
        let content = try file.read(at: 0, length: min(try file.size(), bytesMax + 1))
        return SegmentTable(sidecar: content, shard: shard, segment: segment, fileBytes: fileBytes)
    }
}
