import NIOCore

/// The partition of a key as Kafka's Java client chooses it, so that records of one key written by clients in
/// different languages meet in one partition.
enum Partitioner {
    static func partition(of key: ByteBuffer, count: Int32) -> Int32 {
        Int32(bitPattern: murmur2(key) & 0x7FFF_FFFF) % count
    }

    /// MurmurHash2 of 32 bits with Kafka's seed, reading four bytes at a time, the lowest first.
    static func murmur2(_ key: ByteBuffer) -> UInt32 {
        key.withUnsafeReadableBytes { bytes in
            let multiplier: UInt32 = 0x5BD1_E995
            var hash: UInt32 = 0x9747_B28C ^ UInt32(truncatingIfNeeded: bytes.count)
            let wholeWords = bytes.count & ~3
            for position in stride(from: 0, to: wholeWords, by: 4) {
                var word = UInt32(
                    littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self))
                word &*= multiplier
                word ^= word >> 24
                word &*= multiplier
                hash = hash &* multiplier ^ word
            }
            if wholeWords < bytes.count {
                for position in wholeWords..<bytes.count {
                    hash ^= UInt32(bytes[position]) << UInt32(8 * (position - wholeWords))
                }
                hash &*= multiplier
            }
            hash ^= hash >> 13
            hash &*= multiplier
            return hash ^ hash >> 15
        }
    }
}
