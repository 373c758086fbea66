import Basics
import NIOCore

/// Where a block lies in its segment file.
public struct BlockLocation: Hashable, Sendable {
    public var base: LogIndex
    public var term: Term
    public var position: Int
    public var length: UInt32
    public var count: UInt32

    public var last: LogIndex { base + (Int(count) - 1) }
    public var end: Int { position + Int(length) }

    init(_ header: BlockHeader, at position: Int) {
        self.init(
            base: header.base, term: header.term, position: position, length: UInt32(header.encodedSize),
            count: UInt32(header.count))
    }

    init(base: LogIndex, term: Term, position: Int, length: UInt32, count: UInt32) {
        self.base = base
        self.term = term
        self.position = position
        self.length = length
        self.count = count
    }
}

/// All blocks of one segment, in order. 32 bytes a block.
struct SegmentTable: Hashable, Sendable {
    let segment: LogIndex
    private(set) var blocks: [BlockLocation] = []

    init(segment: LogIndex) { self.segment = segment }

    /// Index of the last entry; the one before the segment while it is empty.
    var last: LogIndex { blocks.last?.last ?? segment.previous }
    var lastTerm: Term { blocks.last?.term ?? .zero }
    /// Where the next block goes.
    var end: Int { blocks.last?.end ?? SegmentFormat.headerBytes }

    var residentBytes: Int { blocks.count * MemoryLayout<BlockLocation>.stride }

    mutating func append(_ location: BlockLocation) {
        invariant(location.base == last.next && location.position == end, "block \(location.base) leaves a gap")
        blocks.append(location)
    }

    /// Drops the block that contains `index`, and all behind it.
    mutating func cut(from index: LogIndex) {
        while let block = blocks.last, block.last >= index { blocks.removeLast() }
    }

    /// Position in `blocks` of the block that contains `index`.
    func find(_ index: LogIndex) -> Int? {
        var low = 0
        var high = blocks.count
        while low < high {
            let middle = (low + high) / 2
            if blocks[middle].last < index { low = middle + 1 } else { high = middle }
        }
        return low < blocks.count && blocks[low].base <= index ? low : nil
    }
}

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
        blocks.reserveCapacity(count)
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
        blocks.append(location)
        return true
    }
}
