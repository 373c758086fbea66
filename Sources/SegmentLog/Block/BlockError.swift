import Basics

/// Why bytes are not a block. Bytes come from disks and peers, so this is an expected answer, never a trap.
public enum BlockError: Error, Hashable, Sendable, CustomStringConvertible {
    case truncated(needed: Int, available: Int)
    case trailingBytes(Int)
    case badMagic(UInt32)
    case unsupportedVersion(UInt8)
    case unsupportedCodec(UInt8)
    /// A length or index in the header that no encoder writes.
    case outOfBounds(field: String)
    case headerChecksumMismatch
    case payloadChecksumMismatch
    /// The checksum holds, but the directory contradicts the header: written by something that is not this encoder.
    case inconsistentDirectory
    case nonZeroPadding
    /// The stored payload does not decompress to the length that the header promises.
    case decompressionFailed

    public var description: String {
        switch self {
        case .truncated(let needed, let available): "block truncated: \(available) of \(needed) bytes"
        case .trailingBytes(let count): "\(count) bytes after the end of the block"
        case .badMagic(let magic): "not a block: magic 0x\(String(magic, radix: 16))"
        case .unsupportedVersion(let version): "block version \(version) is not supported"
        case .unsupportedCodec(let codec): "block codec \(codec) is not supported"
        case .outOfBounds(let field): "block header: \(field) is out of bounds"
        case .headerChecksumMismatch: "block header checksum mismatch"
        case .payloadChecksumMismatch: "block payload checksum mismatch"
        case .inconsistentDirectory: "block directory contradicts its header"
        case .nonZeroPadding: "block padding is not zero"
        case .decompressionFailed: "block payload does not decompress to its stated length"
        }
    }
}

/// A block that does not fit behind the end of the log. The log is unchanged.
public enum BlockOrderError: Error, Hashable, Sendable {
    case wrongShard(expected: ShardID, found: ShardID)
    case notNext(expected: LogIndex, found: LogIndex)
    case termWentBack(last: Term, found: Term)
    /// The block names neither the active segment nor itself as the beginning of a new one.
    case wrongSegment(active: LogIndex, found: LogIndex)
}
