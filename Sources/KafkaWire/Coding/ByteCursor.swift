/// Reads forward through bytes, checking every step against their end.
///
/// Lives inside one `withUnsafeReadableBytes`, which keeps the bytes alive. Reading a `ByteBuffer` itself would cost
/// an exclusivity check at run time for every field.
struct ByteCursor {
    private let bytes: UnsafeRawBufferPointer
    private(set) var position: Int
    private var end: Int

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        position = 0
        end = bytes.count
    }

    var remaining: Int { end - position }

    // Inlined by force: the call would cost more than these few instructions, several times for every field.

    /// Passes over `count` bytes and says where they were.
    @inline(__always)
    mutating func take(_ count: Int) throws(WireError) -> Range<Int> {
        guard count >= 0, count <= remaining else { throw .truncated }
        let start = position
        position += count
        return start..<position
    }

    /// The next `count` bytes as a cursor of their own; passes over them.
    mutating func part(_ count: Int) throws(WireError) -> ByteCursor {
        let range = try take(count)
        var part = self
        part.position = range.lowerBound
        part.end = range.upperBound
        return part
    }

    @inline(__always)
    mutating func integer<Integer: FixedWidthInteger>(as: Integer.Type = Integer.self) throws(WireError) -> Integer {
        let range = try take(MemoryLayout<Integer>.size)
        return bytes.bigEndian(at: range.lowerBound)
    }

    /// UTF-8; bytes that are not become U+FFFD.
    mutating func string(_ length: Int) throws(WireError) -> String {
        let range = try take(length)
        return String(decoding: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }

    // MARK: - Variable-length integers: groups of seven bits, the lowest first, the high bit set on all but the last

    mutating func unsignedVarint() throws(WireError) -> UInt32 {
        // Nearly every length and count of the protocol fits in one byte.
        var byte: UInt8 = try integer()
        if byte < 0x80 { return UInt32(byte) }
        var value = UInt32(byte & 0x7F)
        var shift: UInt32 = 7
        while true {
            byte = try integer()
            // The fifth byte has room for four bits.
            if shift == 28 && byte > 0x0F { throw .invalidVarint }
            value |= UInt32(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    /// The signed form, used inside record batches: zigzag, so that small negative numbers stay short.
    mutating func varint() throws(WireError) -> Int32 {
        let value = try unsignedVarint()
        return Int32(bitPattern: value >> 1) ^ -Int32(bitPattern: value & 1)
    }

    mutating func varlong() throws(WireError) -> Int64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte: UInt8 = try integer()
            // The tenth byte has room for one bit.
            if shift == 63 && byte > 1 { throw .invalidVarint }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { break }
            shift += 7
        }
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// Bytes behind a varint length, −1 for null: the form of keys, values and headers in a record.
    mutating func nullableVarintBytes() throws(WireError) -> Range<Int>? {
        let length = try varint()
        if length == -1 { return nil }
        guard length >= 0 else { throw .invalidLength }
        return try take(Int(length))
    }

    /// Passes over a tagged section of which nothing is wanted: those of the headers.
    mutating func skipTaggedFields() throws(WireError) {
        for _ in 0..<(try unsignedVarint()) {
            _ = try unsignedVarint()
            _ = try take(Int(try unsignedVarint()))
        }
    }
}

extension UnsafeRawBufferPointer {
    func bigEndian<Integer: FixedWidthInteger>(at offset: Int) -> Integer {
        Integer(bigEndian: loadUnaligned(fromByteOffset: offset, as: Integer.self))
    }
}
