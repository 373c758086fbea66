import NIOCore

/// Variable-length integers as ``ByteCursor`` reads them.
extension ByteBuffer {
    mutating func writeVarint(_ value: Int32) {
        writeVarlong(Int64(value))
    }

    mutating func writeVarlong(_ value: Int64) {
        var rest = UInt64(bitPattern: value << 1 ^ value >> 63)
        while rest >= 0x80 {
            writeInteger(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        writeInteger(UInt8(truncatingIfNeeded: rest))
    }

    /// The bytes that ``writeVarlong(_:)`` writes.
    static func varlongSize(_ value: Int64) -> Int {
        let bits = 64 - UInt64(bitPattern: value << 1 ^ value >> 63).leadingZeroBitCount
        return max(1, (bits + 6) / 7)
    }

    mutating func writeNullableVarintBytes(_ bytes: ByteBuffer?) {
        guard let bytes else { return writeVarint(-1) }
        writeVarint(Int32(bytes.readableBytes))
        writeImmutableBuffer(bytes)
    }
}
