import Basics
import NIOCore

@testable import KafkaWire

/// A visitor that fills a message with random contents: every field its version has, null where null is allowed.
struct Randomizer: FieldCoder {
    let version: Int16
    var random: RandomSource

    mutating func field<Value: WireValue>(_ value: inout Value, _ field: Field, default: Value) {
        guard field.versions.contains(version) else { return }
        let nullable = field.nullable.contains(version)
        value = arbitrary(Value.self, nullable: nullable) ?? value
    }

    mutating func message<Message: KafkaMessage>(_: Message.Type) -> Message {
        structure(Message.self)
    }

    private mutating func structure<Struct: KafkaStruct>(_: Struct.Type) -> Struct {
        var value = Struct()
        do { try value.fields(&self) } catch { preconditionFailure("filling a message never throws") }
        return value
    }

    fileprivate mutating func arbitrary<Value: WireValue>(_: Value.Type, nullable: Bool) -> Value? {
        if let type = Value.self as? any Arbitrary.Type {
            return type.arbitrary(&self, nullable: nullable) as? Value
        }
        if let type = Value.self as? any KafkaStruct.Type {
            return structure(type) as? Value
        }
        return nil
    }
}

/// A type that is not a structure, of which a random value can be made.
private protocol Arbitrary {
    static func arbitrary(_ r: inout Randomizer, nullable: Bool) -> Self
}

extension Bool: Arbitrary {
    static func arbitrary(_ r: inout Randomizer, nullable: Bool) -> Bool { .random(using: &r.random) }
}

extension FixedWidthInteger {
    /// Extremes more often than chance would have them.
    fileprivate static func arbitraryInteger(_ r: inout Randomizer) -> Self {
        switch Int.random(in: 0..<8, using: &r.random) {
        case 0: .max
        case 1: .min
        case 2: 0
        default: .random(in: .min ... .max, using: &r.random)
        }
    }
}

extension Int8: Arbitrary {
    static func arbitrary(_ r: inout Randomizer, nullable: Bool) -> Int8 { arbitraryInteger(&r) }
}

extension Int16: Arbitrary {
    static func arbitrary(_ r: inout Randomizer, nullable: Bool) -> Int16 { arbitraryInteger(&r) }
}

extension UInt16: Arbitrary {
    static func arbitrary(_ r: inout Randomizer, nullable: Bool) -> UInt16 { arbitraryInteger(&r) }
}

extension Int32: Arbitrary {
    static func arbitrary(_ r: inout Randomizer, nullable: Bool) -> Int32 { arbitraryInteger(&r) }
}

extension Int64: Arbitrary {
    static func arbitrary(_ r: inout Randomizer, nullable: Bool) -> Int64 { arbitraryInteger(&r) }
}

extension TopicID: Arbitrary {
    static func arbitrary(_ r: inout Randomizer, nullable: Bool) -> TopicID { TopicID(using: &r.random) }
}

extension String: Arbitrary {
    static func arbitrary(_ r: inout Randomizer, nullable: Bool) -> String {
        let alphabet: [Character] = ["a", "b", ".", "0", "ß", "日", "🐦"]
        let length = [0, 1, 5, 40, 150].randomElement(using: &r.random) ?? 0
        return String((0..<length).map { _ in alphabet.randomElement(using: &r.random) ?? "a" })
    }
}

extension Records: Arbitrary {
    /// Parts on both sides of the size from which they are not copied.
    static func arbitrary(_ r: inout Randomizer, nullable: Bool) -> Records {
        var records = Records()
        for _ in 0..<Int.random(in: 0..<4, using: &r.random) {
            let size = Int.random(in: RecordBatchHeader.byteCount..<1_500, using: &r.random)
            let bytes = ByteBuffer(repeating: UInt8.random(in: 0...255, using: &r.random), count: size)
            if Bool.random(using: &r.random) {
                records.append(bytes)
            } else {
                records.append(batch: bytes, baseOffset: 7, leaderEpoch: 3)
            }
        }
        return records
    }
}

extension RecordsSlice: Arbitrary {
    static func arbitrary(_ r: inout Randomizer, nullable: Bool) -> RecordsSlice {
        RecordsSlice(Records.arbitrary(&r, nullable: false).contiguous)
    }
}

extension OpaqueBytes: Arbitrary {
    static func arbitrary(_ r: inout Randomizer, nullable: Bool) -> OpaqueBytes {
        let size = Int.random(in: 0..<600, using: &r.random)
        return OpaqueBytes(ByteBuffer(repeating: UInt8.random(in: 0...255, using: &r.random), count: size))
    }
}

extension Array: Arbitrary where Element: WireValue {
    static func arbitrary(_ r: inout Randomizer, nullable: Bool) -> [Element] {
        (0..<Int.random(in: 0..<4, using: &r.random)).compactMap { _ in r.arbitrary(Element.self, nullable: false) }
    }
}

extension Optional: Arbitrary where Wrapped: NullableWireValue {
    static func arbitrary(_ r: inout Randomizer, nullable: Bool) -> Wrapped? {
        if nullable && Bool.random(using: &r.random) { return nil }
        return r.arbitrary(Wrapped.self, nullable: false)
    }
}
