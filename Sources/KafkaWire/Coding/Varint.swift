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
