import NIOCore

/// What the protocol says about a field beside its type.
public struct Field: Sendable {
    public let name: StaticString
    /// The versions that have the field at all.
    public let versions: Versions
    /// The versions in which it may be null.
    public let nullable: Versions
    /// The versions in which it travels in the tagged section, and only when it differs from its default (KIP-482).
    public let tagged: Versions
    public let tag: UInt32
}

/// A visitor of a message's field table: reads the message, writes it, or records the table itself.
///
/// Each message lists its fields once, in ``KafkaStruct/fields(_:)``. The list is generic over the coder and is
/// specialised for each of them, so that it costs what hand-written reading and writing would.
public protocol FieldCoder {
    mutating func field<Value: WireValue>(
        _ value: inout Value, _ field: Field, default: Value
    ) throws(WireError)
}

/// One method per type of the protocol, so that a table reads like Kafka's documentation.
extension FieldCoder {
    public mutating func bool(
        _ value: inout Bool, _ name: StaticString, _ versions: Versions,
        tag: UInt32 = 0, tagged: Versions = .none, default: Bool = false
    ) throws(WireError) {
        let entry = Field(name: name, versions: versions, nullable: .none, tagged: tagged, tag: tag)
        try field(&value, entry, default: `default`)
    }

    public mutating func int8(
        _ value: inout Int8, _ name: StaticString, _ versions: Versions,
        tag: UInt32 = 0, tagged: Versions = .none, default: Int8 = 0
    ) throws(WireError) {
        let entry = Field(name: name, versions: versions, nullable: .none, tagged: tagged, tag: tag)
        try field(&value, entry, default: `default`)
    }

    public mutating func int16(
        _ value: inout Int16, _ name: StaticString, _ versions: Versions,
        tag: UInt32 = 0, tagged: Versions = .none, default: Int16 = 0
    ) throws(WireError) {
        let entry = Field(name: name, versions: versions, nullable: .none, tagged: tagged, tag: tag)
        try field(&value, entry, default: `default`)
    }

    public mutating func uint16(
        _ value: inout UInt16, _ name: StaticString, _ versions: Versions,
        tag: UInt32 = 0, tagged: Versions = .none, default: UInt16 = 0
    ) throws(WireError) {
        let entry = Field(name: name, versions: versions, nullable: .none, tagged: tagged, tag: tag)
        try field(&value, entry, default: `default`)
    }

    public mutating func int32(
        _ value: inout Int32, _ name: StaticString, _ versions: Versions,
        tag: UInt32 = 0, tagged: Versions = .none, default: Int32 = 0
    ) throws(WireError) {
        let entry = Field(name: name, versions: versions, nullable: .none, tagged: tagged, tag: tag)
        try field(&value, entry, default: `default`)
    }

    public mutating func int64(
        _ value: inout Int64, _ name: StaticString, _ versions: Versions,
        tag: UInt32 = 0, tagged: Versions = .none, default: Int64 = 0
    ) throws(WireError) {
        let entry = Field(name: name, versions: versions, nullable: .none, tagged: tagged, tag: tag)
        try field(&value, entry, default: `default`)
    }

    public mutating func uuid(
        _ value: inout TopicID, _ name: StaticString, _ versions: Versions,
        tag: UInt32 = 0, tagged: Versions = .none
    ) throws(WireError) {
        let entry = Field(name: name, versions: versions, nullable: .none, tagged: tagged, tag: tag)
        try field(&value, entry, default: .zero)
    }

    public mutating func string(
        _ value: inout String, _ name: StaticString, _ versions: Versions,
        tag: UInt32 = 0, tagged: Versions = .none, default: String = ""
    ) throws(WireError) {
        let entry = Field(name: name, versions: versions, nullable: .none, tagged: tagged, tag: tag)
        try field(&value, entry, default: `default`)
    }

    public mutating func string(
        _ value: inout String?, _ name: StaticString, _ versions: Versions, nullable: Versions,
        tag: UInt32 = 0, tagged: Versions = .none, default: String? = nil
    ) throws(WireError) {
        let entry = Field(name: name, versions: versions, nullable: nullable, tagged: tagged, tag: tag)
        try field(&value, entry, default: `default`)
    }

    /// An array of structs or of primitives; without a stated default it is empty.
    public mutating func array<Element: WireValue>(
        _ value: inout [Element], _ name: StaticString, _ versions: Versions,
        tag: UInt32 = 0, tagged: Versions = .none
    ) throws(WireError) {
        let entry = Field(name: name, versions: versions, nullable: .none, tagged: tagged, tag: tag)
        try field(&value, entry, default: [])
    }

    public mutating func array<Element: WireValue>(
        _ value: inout SmallArray<Element>, _ name: StaticString, _ versions: Versions
    ) throws(WireError) {
        let entry = Field(name: name, versions: versions, nullable: .none, tagged: .none, tag: 0)
        try field(&value, entry, default: [])
    }

    public mutating func array<Element: WireValue>(
        _ value: inout [Element]?, _ name: StaticString, _ versions: Versions, nullable: Versions,
        default: [Element]? = []
    ) throws(WireError) {
        let entry = Field(name: name, versions: versions, nullable: nullable, tagged: .none, tag: 0)
        try field(&value, entry, default: `default`)
    }

    public mutating func structure<Struct: KafkaStruct>(
        _ value: inout Struct, _ name: StaticString, _ versions: Versions,
        tag: UInt32 = 0, tagged: Versions = .none
    ) throws(WireError) {
        let entry = Field(name: name, versions: versions, nullable: .none, tagged: tagged, tag: tag)
        try field(&value, entry, default: Struct())
    }

    /// A structure that may be null, behind a byte that says whether it is.
    public mutating func structure<Struct: KafkaStruct>(
        _ value: inout Struct?, _ name: StaticString, _ versions: Versions, nullable: Versions
    ) throws(WireError) {
        let entry = Field(name: name, versions: versions, nullable: nullable, tagged: .none, tag: 0)
        try field(&value, entry, default: nil)
    }

    /// Bytes that mean nothing to the protocol: a slice of the frame they came in, not a copy.
    public mutating func bytes(
        _ value: inout ByteBuffer, _ name: StaticString, _ versions: Versions
    ) throws(WireError) {
        let entry = Field(name: name, versions: versions, nullable: .none, tagged: .none, tag: 0)
        var slice = OpaqueBytes(value)
        try field(&slice, entry, default: OpaqueBytes(ByteBuffer()))
        value = slice.bytes
    }

    /// Record batches of a peer: one slice of the frame they came in, not a copy.
    public mutating func records(
        _ value: inout ByteBuffer?, _ name: StaticString, _ versions: Versions, nullable: Versions
    ) throws(WireError) {
        let entry = Field(name: name, versions: versions, nullable: nullable, tagged: .none, tag: 0)
        var slice = value.map(RecordsSlice.init)
        try field(&slice, entry, default: nil)
        value = slice?.bytes
    }

    /// Record batches gathered from many places. Null is read as empty, and never written.
    public mutating func records(
        _ value: inout Records, _ name: StaticString, _ versions: Versions, nullable: Versions
    ) throws(WireError) {
        let entry = Field(name: name, versions: versions, nullable: nullable, tagged: .none, tag: 0)
        try field(&value, entry, default: Records())
    }
}
