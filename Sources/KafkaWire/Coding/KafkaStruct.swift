/// A structure of the protocol, described by one table of its fields.
public protocol KafkaStruct: WireValue {
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

    public func encode(to encoder: inout WireEncoder, nullable: Bool) throws(WireError) {
        var copy = self
        try encoder.structure(&copy)
    }
}
