import Foundation
import Testing

@testable import KafkaWire

/// Compares the field tables with Kafka's own message definitions, which `MARTLET_KAFKA_SCHEMAS` names a folder of.
@Suite("Field tables agree with Kafka's message definitions")
struct SchemaComparisonTests {
    static let folder = ProcessInfo.processInfo.environment["MARTLET_KAFKA_SCHEMAS"]

    @Test("Every field of every version", .enabled(if: folder != nil), arguments: allMessages.indices)
    func compare(_ index: Int) throws {
        try compare(allMessages[index])
    }

    private func compare<Message: KafkaMessage>(_: Message.Type) throws {
        let name = "\(Message.self)".replacing("InitProducerID", with: "InitProducerId")
        let url = URL(fileURLWithPath: try #require(Self.folder)).appending(path: "\(name).json")
        let definition = try JSONDecoder().decode(MessageDefinition.self, from: Data(contentsOf: url)).resolved

        #expect(definition.apiKey == Message.api.rawValue)
        let valid = try #require(VersionSpan(definition.validVersions))
        #expect(valid.range.contains(Message.versions.lowerBound) && valid.range.contains(Message.versions.upperBound))
        let flexible = VersionSpan(definition.flexibleVersions)
        #expect(flexible?.range.lowerBound ?? .max == Message.flexible)

        compare(FieldTable.of(Message.self), with: definition.fields, in: Message.versions, at: name)
    }

    private func compare(
        _ table: FieldTable, with definitions: [FieldDefinition], in range: ClosedRange<Int16>, at path: String
    ) {
        let expected = definitions.filter { VersionSpan($0.versions)?.intersection(range) != nil }
        #expect(table.entries.map(\.name) == expected.map(\.name), "\(path)")
        for (entry, definition) in zip(table.entries, expected) {
            compare(entry, with: definition, in: range, at: "\(path).\(entry.name)")
        }
        let tags = table.entries.filter { $0.tagged != .none }.map(\.tag)
        #expect(tags == tags.sorted(), "\(path): the encoder writes tags in the order of the table")
        #expect(tags.allSatisfy { $0 <= 15 }, "\(path): the decoder looks for tags up to 15")
    }

    private func compare(
        _ entry: FieldTable.Entry, with definition: FieldDefinition, in range: ClosedRange<Int16>, at path: String
    ) {
        #expect(entry.versions.intersection(range) == VersionSpan(definition.versions)?.intersection(range), "\(path)")
        // A field may be said to be null in versions that do not have it; those do not count.
        guard let present = entry.versions.intersection(range) else { return }
        let nullable = VersionSpan(definition.nullableVersions)
        #expect(entry.nullable.intersection(present) == nullable?.intersection(present), "\(path) nullable")
        let tagged = VersionSpan(definition.taggedVersions)
        #expect(entry.tagged.intersection(present) == tagged?.intersection(present), "\(path) tagged")
        #expect(definition.tag == nil || definition.tag == entry.tag, "\(path) tag")
        #expect(entry.defaultValue == entry.initialValue, "\(path): a new structure has the default of the table")
        if let expected = definition.expectedDefault {
            #expect(entry.defaultValue == expected, "\(path) default")
        }
        #expect(entry.type.definitionName == definition.kind, "\(path) type")
        if let nested = entry.type.nestedTable {
            compare(nested, with: definition.fields ?? [], in: present, at: path)
        }
    }
}

// MARK: - Kafka's definitions

private struct MessageDefinition: Decodable {
    var apiKey: Int16
    var validVersions: String
    var flexibleVersions: String
    var fields: [FieldDefinition]
    var commonStructs: [CommonStruct]?

    /// A structure that several fields have.
    struct CommonStruct: Decodable {
        var name: String
        var fields: [FieldDefinition]
    }

    /// The same with every structure's fields where it is used.
    var resolved: MessageDefinition {
        var copy = self
        copy.fields = resolve(fields)
        return copy
    }

    private func resolve(_ fields: [FieldDefinition]) -> [FieldDefinition] {
        fields.map { field in
            var field = field
            let common = commonStructs?.first { $0.name == field.elementType }
            field.fields = (field.fields ?? common?.fields).map(resolve)
            return field
        }
    }
}

private struct FieldDefinition: Decodable {
    var name: String
    var type: String
    var versions: String
    var nullableVersions: String?
    var taggedVersions: String?
    var tag: UInt32?
    var fields: [FieldDefinition]?
    var defaultText: String?

    enum CodingKeys: String, CodingKey {
        case name, type, versions, nullableVersions, taggedVersions, tag, fields
        case defaultText = "default"
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        name = try container.decode(String.self, forKey: .name)
        type = try container.decode(String.self, forKey: .type)
        versions = try container.decode(String.self, forKey: .versions)
        nullableVersions = try container.decodeIfPresent(String.self, forKey: .nullableVersions)
        taggedVersions = try container.decodeIfPresent(String.self, forKey: .taggedVersions)
        tag = try container.decodeIfPresent(UInt32.self, forKey: .tag)
        fields = try container.decodeIfPresent([FieldDefinition].self, forKey: .fields)
        // Numbers and truth values stand there both as such and as text.
        if let number = try? container.decodeIfPresent(Int64.self, forKey: .defaultText) {
            defaultText = String(number)
        } else if let flag = try? container.decodeIfPresent(Bool.self, forKey: .defaultText) {
            defaultText = String(flag)
        } else {
            defaultText = try container.decodeIfPresent(String.self, forKey: .defaultText)
        }
    }

    private static let primitives: Set = [
        "bool", "int8", "int16", "uint16", "int32", "int64", "uuid", "string", "records", "bytes",
    ]

    /// The type, or that of an array's elements.
    var elementType: String { type.hasPrefix("[]") ? String(type.dropFirst(2)) : type }

    /// The type, with "struct" for whatever name a structure has.
    var kind: String {
        let array = type.hasPrefix("[]") ? "[]" : ""
        return array + (Self.primitives.contains(elementType) ? elementType : "struct")
    }

    /// How Swift prints the default; nil where the definition leaves open what we decide: a nullable string without a
    /// stated default is null here, and records that are absent are no records.
    var expectedDefault: String? {
        switch type {
        case "bool": defaultText ?? "false"
        case "string":
            switch defaultText {
            case "null": "nil"
            case nil: nullableVersions == nil ? "" : nil
            default: defaultText
            }
        case "int8", "int16", "uint16", "int32", "int64": integerDefault
        case _ where type.hasPrefix("[]"): defaultText == "null" ? "nil" : "[]"
        default: nil
        }
    }

    private var integerDefault: String {
        guard let text = defaultText else { return "0" }
        guard text.hasPrefix("0x") else { return text }
        return Int64(text.dropFirst(2), radix: 16).map(String.init) ?? text
    }
}

/// "3+", "0-12" or "4"; nil of "none".
private struct VersionSpan {
    var range: ClosedRange<Int16>

    init?(_ text: String?) {
        guard let text, text != "none" else { return nil }
        let parts = text.split(separator: "-").map { $0.replacing("+", with: "") }.compactMap { Int16($0) }
        guard let first = parts.first, let last = parts.last else { return nil }
        let top: Int16 = text.hasSuffix("+") ? .max : last
        range = ClosedRange(uncheckedBounds: (first, top))
    }

    func intersection(_ other: ClosedRange<Int16>) -> ClosedRange<Int16>? {
        range.overlaps(other) ? range.clamped(to: other) : nil
    }
}

extension WireType {
    fileprivate var definitionName: String {
        switch self {
        case .array(let element): "[]" + element.definitionName
        case .structure: "struct"
        default: "\(self)"
        }
    }

    fileprivate var nestedTable: FieldTable? {
        switch self {
        case .array(let element): element.nestedTable
        case .structure(let table): table
        default: nil
        }
    }
}
