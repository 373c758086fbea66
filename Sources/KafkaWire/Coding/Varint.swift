import NIOCore

/// Variable-length integers: groups of seven bits, the lowest first, the high bit set on all but the last.
extension ByteBuffer {
    mutating func readUnsignedVarint() throws(WireError) -> UInt32 {
        // Nearly every length and count of the protocol fits in one byte.
        guard let first = readInteger(as: UInt8.self) else { throw .truncated }
        if first < 0x80 { return UInt32(first) }
        var value = UInt32(first & 0x7F)
        var shift: UInt32 = 7
        while true {
            guard let byte = readInteger(as: UInt8.self) else { throw .truncated }
            // The fifth byte has room for four bits.
            if shift == 28 && byte > 0x0F { throw .invalidVarint }
            value |= UInt32(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    mutating func writeUnsignedVarint(_ value: UInt32) {
        var rest = value
        while rest >= 0x80 {
            writeInteger(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        writeInteger(UInt8(truncatingIfNeeded: rest))
    }
}

extension ByteBuffer {
    /// Passes over a tagged section of which nothing is wanted: those of the headers.
    mutating func skipTaggedFields() throws(WireError) {
        for _ in 0..<(try readUnsignedVarint()) {
            _ = try readUnsignedVarint()
            let length = Int(try readUnsignedVarint())
            guard length <= readableBytes else { throw .truncated }
            moveReaderIndex(forwardBy: length)
        }
    }
}

/// The signed form inside record batches: zigzag, so that small negative numbers stay short.
extension ByteBuffer {
    mutating func readVarint() throws(WireError) -> Int32 {
        let value = try readUnsignedVarint()
        return Int32(bitPattern: value >> 1) ^ -Int32(bitPattern: value & 1)
    }

    mutating func readVarlong() throws(WireError) -> Int64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard let byte = readInteger(as: UInt8.self) else { throw .truncated }
            // The tenth byte has room for one bit.
            if shift == 63 && byte > 1 { throw .invalidVarint }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { break }
            shift += 7
        }
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    mutating func writeVarint(_ value: Int32) {
        writeUnsignedVarint(UInt32(bitPattern: value << 1 ^ value >> 31))
    }

    mutating func writeVarlong(_ value: Int64) {
        var rest = UInt64(bitPattern: value << 1 ^ value >> 63)
        while rest >= 0x80 {
            writeInteger(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        writeInteger(UInt8(truncatingIfNeeded: rest))
    }

    /// The bytes that ``writeVarlong(_:)``, or `writeVarint` of the same number, writes.
    static func varlongSize(_ value: Int64) -> Int {
        let bits = 64 - UInt64(bitPattern: value << 1 ^ value >> 63).leadingZeroBitCount
        return max(1, (bits + 6) / 7)
    }
}
