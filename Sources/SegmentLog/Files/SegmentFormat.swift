import Basics
import NIOCore

/// The layout of a segment file, version 1: this header, then blocks without gaps (`BlockFormat`), to the end of the
/// file once it is sealed. Nothing in it is local to a node, so that replicas are byte-identical.
///
///     offset size
///          0    4  magic "MSEG"
///          4    4  version, 1
///          8    2  shard
///         10    6  zero
///         16    8  base: index of the first entry
///         24   36  zero
///         60    4  CRC-32C of bytes 0 ..< 60
enum SegmentFormat {
    static let magic: UInt32 = 0x4745_534D
    static let version: UInt32 = 1
    static let headerBytes = 64

    static func header(shard: ShardID, base: LogIndex) -> ByteBuffer {
        FixedRecord.encode(magic: magic, version: version) { raw in
            raw.put(shard.rawValue, at: 8)
            raw.put(base.rawValue, at: 16)
        }
    }

    /// Whether these bytes are the header of that very segment. A header has nothing to tell but who it is.
    static func isHeader(_ bytes: ByteBuffer, shard: ShardID, base: LogIndex) -> Bool {
        bytes == header(shard: shard, base: base)
    }
}

/// 64 bytes that begin with magic and version and end with their own CRC-32C: the frame of all fixed-size records.
enum FixedRecord {
    static let size = 64

    static func encode(
        magic: UInt32, version: UInt32, _ fill: (UnsafeMutableRawBufferPointer) -> Void
    ) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: size)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { target in
            let raw = UnsafeMutableRawBufferPointer(rebasing: target[..<size])
            raw.zero(0 ..< size)
            raw.put(magic, at: 0)
            raw.put(version, at: 4)
            fill(raw)
            raw.put(crc32c(UnsafeRawBufferPointer(raw)[..<(size - 4)]), at: size - 4)
            return size
        }
        return buffer
    }

    /// Runs `read` on a record whose magic, version and checksum are right; nil otherwise.
    static func decode<Value>(
        _ bytes: ByteBuffer, magic: UInt32, version: UInt32, _ read: (UnsafeRawBufferPointer) -> Value?
    ) -> Value? {
        bytes.withUnsafeReadableBytes { raw in
            guard raw.count >= size, raw.number(UInt32.self, at: 0) == magic,
                raw.number(UInt32.self, at: 4) == version,
                raw.number(UInt32.self, at: size - 4) == crc32c(raw[..<(size - 4)])
            else { return nil }
            return read(raw)
        }
    }
}
