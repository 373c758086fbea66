/// The type of a field as Kafka's message definitions name it.
public indirect enum WireType: Hashable, Sendable {
    case bool, int8, int16, uint16, int32, int64, uuid, string, records, bytes
    case array(WireType)
    case structure(FieldTable)
}

/// A message's field table as data: what ``KafkaStruct/fields(_:)`` says, for comparing it with Kafka's own
/// definitions and for documentation.
public struct FieldTable: Hashable, Sendable {
    public struct Entry: Hashable, Sendable {
        public var name: String
        public var type: WireType
        public var versions: Versions
        public var nullable: Versions
        public var tagged: Versions
        public var tag: UInt32
        /// The default the table states, as text: "nil", "[]", "-1".
        public var defaultValue: String
        /// The value a new structure has; the same as `defaultValue` unless the declaration contradicts itself.
        public var initialValue: String
    }

    public var entries: [Entry] = []

    public static func of<Struct: KafkaStruct>(_: Struct.Type) -> FieldTable {
        var recorder = FieldRecorder()
        var value = Struct()
        do {
            try value.fields(&recorder)
        } catch {
            preconditionFailure("the recorder never throws: \(error)")
        }
        return recorder.table
    }
}

/// The visitor that writes the table down.
struct FieldRecorder: FieldCoder {
    private(set) var table = FieldTable()

    mutating func field<Value: WireValue>(_ value: inout Value, _ field: Field, default: Value) {
        table.entries.append(
            FieldTable.Entry(
                name: "\(field.name)",
                type: Value.wireType,
                versions: field.versions,
                nullable: field.nullable,
                tagged: field.tagged,
                tag: field.tag,
                defaultValue: Self.text(of: `default`),
                initialValue: Self.text(of: value)
            )
        )
    }

    /// Without the word "Optional" around what is not null.
    private static func text(of value: Any) -> String {
        let mirror = Mirror(reflecting: value)
        guard mirror.displayStyle == .optional, let wrapped = mirror.children.first else { return "\(value)" }
        return "\(wrapped.value)"
    }
}
