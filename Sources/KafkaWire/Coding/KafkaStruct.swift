/// A structure of the protocol, described by one table of its fields.
public protocol KafkaStruct: NullableWireValue {
    /// Every field at its default.
    init()

    /// Visits the fields in the order of the protocol's documentation, tagged ones in the order of their tags.
    mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError)
}

extension KafkaStruct {
    /// A structure with some of its fields set: `MetadataResponse.Broker { $0.nodeID = 1; $0.host = "localhost" }`.
    public init(_ set: (inout Self) -> Void) {
        self.init()
        set(&self)
    }

    public static var wireType: WireType { .structure(FieldTable.of(Self.self)) }

    public init(from decoder: inout WireDecoder, nullable: Bool) throws(WireError) {
        self.init()
        try fields(&decoder)
        try decoder.taggedFields(of: &self)
    }

    /// A field that may be null has a byte before its structure: 1 where there is one, -1 for null.
    public static func decodeOptional(from decoder: inout WireDecoder) throws(WireError) -> Self? {
        guard try decoder.integer(as: Int8.self) >= 0 else { return nil }
        return try Self(from: &decoder, nullable: false)
    }

    public static func encodeNull(to encoder: inout WireEncoder) {
        encoder.write(-1 as Int8)
    }

    public func encode(to encoder: inout WireEncoder, nullable: Bool) throws(WireError) {
        if nullable { encoder.write(1 as Int8) }
        var copy = self
        try encoder.structure(&copy)
    }
}
