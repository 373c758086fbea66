import NIOCore

/// Why a block could not be compressed or decompressed.
public enum CompressionError: Error, Hashable, Sendable {
    /// The bytes are not what the codec writes.
    case corrupt
    /// The result would be larger than the bound the caller gave.
    case tooLarge
    /// The library could not do its work: in practice, no memory.
    case failed
}

/// The codecs of record batches, by the libraries of the system.
///
/// Each call stands alone: it keeps nothing, and what it allocates is bounded by the size of the input (compressing)
/// or by `limit` plus the codec's window (decompressing).
public enum Compression {
    /// Compresses a block in the form Kafka's clients read: gzip (RFC 1952), snappy in xerial frames, LZ4 frames of
    /// independent blocks, zstd frames (RFC 8878).
    public static func compress(_ bytes: ByteBuffer, with codec: Codec) throws(CompressionError) -> ByteBuffer {
        switch codec {
        case .none: bytes
        case .gzip: try Gzip.compress(bytes)
        case .snappy: try Snappy.compress(bytes)
        case .lz4: try LZ4.compress(bytes)
        case .zstd: try Zstd.compress(bytes)
        }
    }

    /// Decompresses a block.
    ///
    /// - Parameter limit: the most bytes the result may have. A few bytes can claim to be gigabytes; the output grows
    ///   only as they really appear, and never beyond this.
    public static func decompress(
        _ bytes: ByteBuffer, with codec: Codec, limit: Int
    ) throws(CompressionError) -> ByteBuffer {
        switch codec {
        case .none:
            guard bytes.readableBytes <= limit else { throw .tooLarge }
            return bytes
        case .gzip: return try Gzip.decompress(bytes, limit: limit)
        case .snappy: return try Snappy.decompress(bytes, limit: limit)
        case .lz4: return try LZ4.decompress(bytes, limit: limit)
        case .zstd: return try Zstd.decompress(bytes, limit: limit)
        }
    }
}
