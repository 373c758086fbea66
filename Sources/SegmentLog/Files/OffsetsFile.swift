import Basics
import NIOCore

/// The layout of an offsets file, version 1: what the state machine derived from a sealed segment, kept beside it so
/// that it need not stay in memory. The log knows whose it is and whether it is whole; the content is the state
/// machine's.
///
///     offset size
///          0    4  magic "MOFS"
///          4    4  version, 1
///          8    2  shard
///         10    6  zero
///         16    8  base of the segment
///         24    8  bytes of the content
///         32    4  CRC-32C of the content
///         36   24  zero
///         60    4  CRC-32C of bytes 0 ..< 60
///         64       content
enum OffsetsFile {
    static let magic: UInt32 = 0x5346_4F4D
    static let version: UInt32 = 1

    static func header(of content: ByteBuffer, shard: ShardID, segment: LogIndex) -> ByteBuffer {
        FixedRecord.encode(magic: magic, version: version) { raw in
            raw.put(shard.rawValue, at: 8)
            raw.put(segment.rawValue, at: 16)
            raw.put(UInt64(content.readableBytes), at: 24)
            raw.put(content.withUnsafeReadableBytes { crc32c($0) }, at: 32)
        }
    }

    /// Writes the file, unless the very same one is there: a replay derives again what it derived before the restart.
    /// Nothing is made durable; after a power failure a torn file is refused, and replaced by the next replay.
    static func write(
        _ content: ByteBuffer, shard: ShardID, segment: LogIndex, files: any FileSystem, layout: LogLayout
    ) throws(StorageError) {
        let path = layout.offsets(segment)
        let header = header(of: content, shard: shard, segment: segment)
        if try read(segment, shard: shard, files: files, layout: layout) == content { return }
        let temporary = layout.temporary(path)
        let file = try files.open(temporary, .create)
        try file.truncate(to: 0)
        try file.write([header, content], at: 0)
        try files.rename(temporary, to: path)
    }

    /// The content; nil if there is no such file, or not the whole of it.
    static func read(
        _ segment: LogIndex, shard: ShardID, files: any FileSystem, layout: LogLayout
    ) throws(StorageError) -> ByteBuffer? {
        let file: any StorageFile
        do throws(StorageError) {
            file = try files.open(layout.offsets(segment), .read)
        } catch {
            guard case .io(.open, _, .noSuchFile) = error else { throw error }
            return nil
        }
        let header = try file.read(at: 0, length: FixedRecord.size)
        let expected: (bytes: Int, checksum: UInt32)? = FixedRecord.decode(header, magic: magic, version: version) {
            raw in
            guard raw.number(UInt16.self, at: 8) == shard.rawValue, raw.number(UInt64.self, at: 16) == segment.rawValue
            else { return nil }
            return (Int(clamping: raw.number(UInt64.self, at: 24)), raw.number(UInt32.self, at: 32))
        }
        // The size is compared before anything is allocated for it.
        guard let expected, try file.size() - FixedRecord.size == expected.bytes else { return nil }
        let content = try file.read(at: FixedRecord.size, length: expected.bytes)
        guard content.withUnsafeReadableBytes({ crc32c($0) }) == expected.checksum else { return nil }
        return content
    }
}
