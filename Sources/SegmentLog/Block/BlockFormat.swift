import Basics

/// The layout of an encoded block, version 1. All numbers are little-endian.
///
///     offset size
///          0    4  magic "MBLK"
///          4    1  version, 1
///          5    1  codec of the payload: 0 raw, 1 zstd (one frame)
///          6    2  shard
///          8    8  segment: index of the first entry of the segment file this block belongs to
///         16    8  base: index of the block's first entry
///         24    8  term of all its entries
///         32    4  number of entries, at least 1
///         36    4  D: bytes of the directory
///         40    4  bytes of the payload before compression
///         44    4  S: bytes of the payload as stored
///         48    4  CRC-32C of the stored payload
///         52    8  zero
///         60    4  CRC-32C of bytes 0 ..< 60 and of the directory
///         64    D  directory: one record per entry, then the heads, in order
///     64 + D    S  payload: the entries' payloads, in order
///                  zeros up to a multiple of 8
///
/// A record of the directory:
///
///          0    1  entry type
///          1    1  zero
///          2    2  bytes of the entry's head
///          4    4  bytes of the entry's payload before compression
enum BlockFormat {
    static let magic: UInt32 = 0x4B4C_424D
    static let version: UInt8 = 1
    static let headerBytes = 64
    static let entryRecordBytes = 8
    static let alignment = 8

    static func padded(_ length: Int) -> Int { (length + alignment - 1) & ~(alignment - 1) }
}

/// How the payload of a block is stored.
public enum BlockCodec: UInt8, Hashable, Sendable {
    case raw = 0
    case zstd = 1
}

/// The bounds of a block. The decoder refuses everything beyond them before it allocates.
public enum BlockLimits {
    /// Raw bytes (records, heads and payloads) at which a block is full.
    public static let targetBytes = 256.kibibytes
    /// One entry's payload: Kafka's largest sensible request and some slack.
    public static let entryPayloadBytesMax = 101.mebibytes
    /// One entry's head; its length is a 16-bit field.
    public static let headBytesMax = 65_535
    /// The directory: a full block of empty entries, or one entry with the largest head.
    public static let directoryBytesMax = 512.kibibytes
    /// The payload of a block before compression, and as stored.
    public static let payloadBytesMax = entryPayloadBytesMax
    /// The whole block as encoded.
    public static let encodedBytesMax =
        BlockFormat.headerBytes + directoryBytesMax + payloadBytesMax + BlockFormat.alignment
    /// No index reaches this, so that arithmetic on indices cannot overflow whatever a file says.
    static let indexMax: UInt64 = 1 << 62
}
