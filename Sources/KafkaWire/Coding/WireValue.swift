import NIOCore

/// A type of the protocol: something that can stand behind a field or in an array.
public protocol WireValue: Equatable, Sendable {
    static var wireType: WireType { get }

    init(from decoder: inout WireDecoder, nullable: Bool) throws(WireError)

    func encode(to encoder: inout WireEncoder, nullable: Bool) throws(WireError)
}

/// A type whose encoding has room for null, so that `Optional` of it can travel.
public protocol NullableWireValue: WireValue {
    static func decodeOptional(from decoder: inout WireDecoder) throws(WireError) -> Self?

    static func encodeNull(to encoder: inout WireEncoder)
}

extension Optional: WireValue where Wrapped: NullableWireValue {
    public static var wireType: WireType { Wrapped.wireType }

    public init(from decoder: inout WireDecoder, nullable: Bool) throws(WireError) {
        self = try Wrapped.decodeOptional(from: &decoder)
        if self == nil && !nullable { throw .unexpectedNull }
    }

    public func encode(to encoder: inout WireEncoder, nullable: Bool) throws(WireError) {
        if let value = self {
            try value.encode(to: &encoder, nullable: nullable)
        } else if nullable {
            Wrapped.encodeNull(to: &encoder)
        } else {
            throw .unexpectedNull
        }
    }
}

extension NullableWireValue {
    static func decodeRequired(from decoder: inout WireDecoder) throws(WireError) -> Self {
        guard let value = try decodeOptional(from: &decoder) else { throw .unexpectedNull }
        return value
    }
}

// MARK: - Fixed-width values

extension Bool: WireValue {
    public static var wireType: WireType { .bool }

    public init(from decoder: inout WireDecoder, nullable: Bool) throws(WireError) {
        self = try decoder.integer(as: UInt8.self) != 0
    }

    public func encode(to encoder: inout WireEncoder, nullable: Bool) {
        encoder.write(self ? 1 : 0 as UInt8)
    }
}

extension Int8: WireValue {
    public static var wireType: WireType { .int8 }

    public init(from decoder: inout WireDecoder, nullable: Bool) throws(WireError) {
        self = try decoder.integer()
    }

    public func encode(to encoder: inout WireEncoder, nullable: Bool) {
        encoder.write(self)
    }
}

extension Int16: WireValue {
    public static var wireType: WireType { .int16 }

    public init(from decoder: inout WireDecoder, nullable: Bool) throws(WireError) {
        self = try decoder.integer()
    }

    public func encode(to encoder: inout WireEncoder, nullable: Bool) {
        encoder.write(self)
    }
}

extension UInt16: WireValue {
    public static var wireType: WireType { .uint16 }

    public init(from decoder: inout WireDecoder, nullable: Bool) throws(WireError) {
        self = try decoder.integer()
    }

    public func encode(to encoder: inout WireEncoder, nullable: Bool) {
        encoder.write(self)
    }
}

extension Int32: WireValue {
    public static var wireType: WireType { .int32 }

    public init(from decoder: inout WireDecoder, nullable: Bool) throws(WireError) {
        self = try decoder.integer()
    }

    public func encode(to encoder: inout WireEncoder, nullable: Bool) {
        encoder.write(self)
    }
}

extension Int64: WireValue {
    public static var wireType: WireType { .int64 }

    public init(from decoder: inout WireDecoder, nullable: Bool) throws(WireError) {
        self = try decoder.integer()
    }

    public func encode(to encoder: inout WireEncoder, nullable: Bool) {
        encoder.write(self)
    }
}

extension TopicID: WireValue {
    public static var wireType: WireType { .uuid }

    public init(from decoder: inout WireDecoder, nullable: Bool) throws(WireError) {
        let high: UInt64 = try decoder.integer()
        let low: UInt64 = try decoder.integer()
        self.init(high: high, low: low)
    }

    public func encode(to encoder: inout WireEncoder, nullable: Bool) {
        encoder.write(high)
        encoder.write(low)
    }
}

// MARK: - Values with a length

/// Bytes that are not UTF-8 become U+FFFD, as in Kafka: a topic of that name is then refused as an illegal name, which
/// tells the client more than a closed connection.
extension String: NullableWireValue {
    public static var wireType: WireType { .string }

    public init(from decoder: inout WireDecoder, nullable: Bool) throws(WireError) {
        self = try String.decodeRequired(from: &decoder)
    }

    public static func decodeOptional(from decoder: inout WireDecoder) throws(WireError) -> String? {
        guard let length = try decoder.stringLength() else { return nil }
        return try decoder.string(length: length)
    }

    public func encode(to encoder: inout WireEncoder, nullable: Bool) throws(WireError) {
        let length = utf8.count
        guard length <= Int(Int16.max) else { throw .stringTooLong }
        encoder.writeStringLength(length)
        encoder.write(self)
    }

    public static func encodeNull(to encoder: inout WireEncoder) {
        encoder.writeStringLength(nil)
    }
}

extension Records: NullableWireValue {
    public static var wireType: WireType { .records }

    public init(from decoder: inout WireDecoder, nullable: Bool) throws(WireError) {
        if let records = try Records.decodeOptional(from: &decoder) {
            self = records
        } else if nullable {
            self.init()
        } else {
            throw .unexpectedNull
        }
    }

    public static func decodeOptional(from decoder: inout WireDecoder) throws(WireError) -> Records? {
        guard let length = try decoder.length() else { return nil }
        return Records(try decoder.slice(length: length))
    }

    public func encode(to encoder: inout WireEncoder, nullable: Bool) throws(WireError) {
        guard byteCount <= Int(Int32.max) else { throw .invalidLength }
        encoder.writeLength(byteCount)
        encoder.write(self)
    }

    public static func encodeNull(to encoder: inout WireEncoder) {
        encoder.writeLength(nil)
    }
}

/// Records that are one slice, as they come from a peer: spares the Produce path the list that `Records` keeps.
struct RecordsSlice: NullableWireValue {
    var bytes: ByteBuffer

    static var wireType: WireType { .records }

    init(_ bytes: ByteBuffer) {
        self.bytes = bytes
    }

    init(from decoder: inout WireDecoder, nullable: Bool) throws(WireError) {
        self = try RecordsSlice.decodeRequired(from: &decoder)
    }

    static func decodeOptional(from decoder: inout WireDecoder) throws(WireError) -> RecordsSlice? {
        guard let length = try decoder.length() else { return nil }
        return RecordsSlice(try decoder.slice(length: length))
    }

    func encode(to encoder: inout WireEncoder, nullable: Bool) throws(WireError) {
        guard bytes.readableBytes <= Int(Int32.max) else { throw .invalidLength }
        encoder.writeLength(bytes.readableBytes)
        encoder.writeOrAttach(bytes)
    }

    static func encodeNull(to encoder: inout WireEncoder) {
        encoder.writeLength(nil)
    }
}

/// The protocol's `bytes`, as a slice.
struct OpaqueBytes: NullableWireValue {
    var bytes: ByteBuffer

    static var wireType: WireType { .bytes }

    init(_ bytes: ByteBuffer) {
        self.bytes = bytes
    }

    init(from decoder: inout WireDecoder, nullable: Bool) throws(WireError) {
        self = try OpaqueBytes.decodeRequired(from: &decoder)
    }

    static func decodeOptional(from decoder: inout WireDecoder) throws(WireError) -> OpaqueBytes? {
        guard let length = try decoder.length() else { return nil }
        return OpaqueBytes(try decoder.slice(length: length))
    }

    func encode(to encoder: inout WireEncoder, nullable: Bool) throws(WireError) {
        guard bytes.readableBytes <= Int(Int32.max) else { throw .invalidLength }
        encoder.writeLength(bytes.readableBytes)
        encoder.writeOrAttach(bytes)
    }

    static func encodeNull(to encoder: inout WireEncoder) {
        encoder.writeLength(nil)
    }
}

extension Array: WireValue where Element: WireValue {
    public static var wireType: WireType { .array(Element.wireType) }

    public init(from decoder: inout WireDecoder, nullable: Bool) throws(WireError) {
        self = try [Element].decodeRequired(from: &decoder)
    }

    public func encode(to encoder: inout WireEncoder, nullable: Bool) throws(WireError) {
        guard count <= Int(Int32.max) else { throw .invalidLength }
        encoder.writeLength(count)
        for element in self {
            try element.encode(to: &encoder, nullable: false)
        }
    }
}

extension Array: NullableWireValue where Element: WireValue {
    public static func decodeOptional(from decoder: inout WireDecoder) throws(WireError) -> [Element]? {
        guard let count = try decoder.length() else { return nil }
        try decoder.charge(elements: count, of: Element.self)
        var elements: [Element] = []
        elements.reserveCapacity(count)
        for _ in 0..<count {
            elements.append(try Element(from: &decoder, nullable: false))
        }
        return elements
    }

    public static func encodeNull(to encoder: inout WireEncoder) {
        encoder.writeLength(nil)
    }
}
