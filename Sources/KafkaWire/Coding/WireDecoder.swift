import Basics
import NIOCore

/// Reads one message from a buffer.
///
/// Owned by one call, ``decode(_:version:isFlexible:)``, on one thread. What it allocates is bounded by the bytes it
/// is given (strings are copied out of
/// them, records are slices of them) and, for arrays, by ``maximumArrayBytes``.
public struct WireDecoder: FieldCoder {
    /// The memory that all arrays of one message may take together. Without it a frame full of two-byte elements
    /// would grow to many times its size.
    public static let maximumArrayBytes = 64.mebibytes

    public let version: Int16
    public let isFlexible: Bool
    private var cursor: ByteCursor
    /// The bytes under the cursor, for slices that outlive it.
    private let source: ByteBuffer
    private var arrayBytesLeft = WireDecoder.maximumArrayBytes

    /// The tag whose field is being looked for; nil while the untagged fields are read.
    private var tag: UInt32?

    private init(_ bytes: UnsafeRawBufferPointer, of source: ByteBuffer, version: Int16, isFlexible: Bool) {
        cursor = ByteCursor(bytes)
        self.source = source
        self.version = version
        self.isFlexible = isFlexible
    }

    /// Reads a message at the beginning of `body`.
    static func decode<Message: KafkaMessage>(
        _ body: ByteBuffer, version: Int16, isFlexible: Bool
    ) throws(WireError) -> Message {
        try body.withUnsafeReadableBytes { (bytes) throws(WireError) -> Message in
            var decoder = WireDecoder(bytes, of: body, version: version, isFlexible: isFlexible)
            return try Message.decode(from: &decoder)
        }
    }

    public mutating func field<Value: WireValue>(
        _ value: inout Value, _ field: Field, default: Value
    ) throws(WireError) {
        if field.tagged.contains(version) {
            guard let selected = tag, selected == field.tag else { return }
            tag = nil
            value = try Value(from: &self, nullable: field.nullable.contains(version))
            tag = selected
        } else if tag == nil && field.versions.contains(version) {
            value = try Value(from: &self, nullable: field.nullable.contains(version))
        }
    }

    /// The tagged section that ends every structure of a flexible version: visits the table once for each tag in it.
    /// Tags nobody knows are skipped.
    mutating func taggedFields<Struct: KafkaStruct>(of value: inout Struct) throws(WireError) {
        guard isFlexible else { return }
        let count = try cursor.unsignedVarint()
        if count == 0 { return }
        var previous: UInt32?
        for _ in 0..<count {
            let next = try cursor.unsignedVarint()
            if let previous, next <= previous { throw .unorderedTags }
            previous = next
            let length = try cursor.unsignedVarint()
            let payload = try cursor.part(Int(length))
            guard next <= Self.highestKnownTag else { continue }
            let rest = cursor
            cursor = payload
            tag = next
            try value.fields(&self)
            tag = nil
            cursor = rest
        }
    }

    /// No message has a higher tag; above it the table need not be asked. A frame of many tags costs little therefore.
    private static let highestKnownTag: UInt32 = 15

    // MARK: - Primitives

    mutating func integer<Integer: FixedWidthInteger>(as: Integer.Type = Integer.self) throws(WireError) -> Integer {
        try cursor.integer()
    }

    mutating func stringLength() throws(WireError) -> Int? {
        let length: Int
        if isFlexible {
            length = Int(try cursor.unsignedVarint()) - 1
        } else {
            length = Int(try integer(as: Int16.self))
        }
        if length == -1 { return nil }
        guard length >= 0 else { throw .invalidLength }
        guard length <= Int(Int16.max) else { throw .stringTooLong }
        return length
    }

    mutating func string(length: Int) throws(WireError) -> String {
        try cursor.string(length)
    }

    /// The length of bytes or the count of an array; nil for null. Never more than the bytes that are left, because
    /// nothing in the protocol is shorter than one byte.
    mutating func length() throws(WireError) -> Int? {
        let length: Int
        if isFlexible {
            length = Int(try cursor.unsignedVarint()) - 1
        } else {
            length = Int(try integer(as: Int32.self))
        }
        if length == -1 { return nil }
        guard length >= 0, length <= cursor.remaining else { throw .invalidLength }
        return length
    }

    mutating func slice(length: Int) throws(WireError) -> ByteBuffer {
        let range = try cursor.take(length)
        guard let slice = source.getSlice(at: source.readerIndex + range.lowerBound, length: length) else {
            throw .truncated
        }
        return slice
    }

    /// Takes the memory of an array from what this message may still use.
    mutating func charge<Element>(elements count: Int, of: Element.Type) throws(WireError) {
        let (bytes, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
        guard !overflow, bytes <= arrayBytesLeft else { throw .arraysTooLarge }
        arrayBytesLeft -= bytes
    }
}
