import ArgumentParser
import KafkaWire
import MartletClient
import NIOCore

/// How `consume` prints a record: text with places for its parts.
///
/// | place | part |
/// |---|---|
/// | `%t` | topic |
/// | `%p` | partition |
/// | `%o` | offset |
/// | `%T` | timestamp, milliseconds since 1970 |
/// | `%k`, `%v` | key, value; nothing if null |
/// | `%h` | headers, `name=value` separated by commas |
/// | `%%` | a percent sign |
/// | `\n`, `\t`, `\\` | line feed, tab, backslash |
struct RecordFormat: Hashable, Sendable {
    private enum Part: Hashable {
        case text(String)
        case topic, partition, offset, timestamp, key, value, headers
    }

    private var parts: [Part] = []

    init(_ text: String) throws(ValidationError) {
        var literal = ""
        var characters = text.makeIterator()
        while let character = characters.next() {
            switch character {
            case "%":
                let letter = characters.next()
                if letter == "%" {
                    literal.append("%")
                } else {
                    parts.append(.text(literal))
                    literal = ""
                    parts.append(try Self.part(letter))
                }
            case "\\":
                literal.append(try Self.escaped(characters.next()))
            default:
                literal.append(character)
            }
        }
        parts.append(.text(literal))
        parts.removeAll { $0 == .text("") }
    }

    private static func part(_ letter: Character?) throws(ValidationError) -> Part {
        switch letter {
        case "t": return .topic
        case "p": return .partition
        case "o": return .offset
        case "T": return .timestamp
        case "k": return .key
        case "v": return .value
        case "h": return .headers
        default:
            let place = letter.map(String.init) ?? ""
            throw ValidationError("'%\(place)' in --format is unknown; there are %k %v %o %p %t %T %h %%")
        }
    }

    private static func escaped(_ letter: Character?) throws(ValidationError) -> Character {
        switch letter {
        case "n": return "\n"
        case "t": return "\t"
        case "\\": return "\\"
        default:
            let escape = letter.map(String.init) ?? ""
            throw ValidationError("'\\\(escape)' in --format is unknown; there are \\n \\t \\\\")
        }
    }

    func write(_ record: ConsumerRecord, to output: inout ByteBuffer) {
        for part in parts {
            switch part {
            case .text(let text): output.writeString(text)
            case .topic: output.writeString(record.topic)
            case .partition: output.writeString("\(record.partition)")
            case .offset: output.writeString("\(record.offset)")
            case .timestamp: output.writeString("\(record.timestamp)")
            case .key: if let key = record.key { output.writeImmutableBuffer(key) }
            case .value: if let value = record.value { output.writeImmutableBuffer(value) }
            case .headers: writeHeaders(record, to: &output)
            }
        }
    }

    private func writeHeaders(_ record: ConsumerRecord, to output: inout ByteBuffer) {
        for (index, header) in record.headers.enumerated() {
            if index > 0 { output.writeString(",") }
            output.writeString(header.key)
            output.writeString("=")
            if let value = header.value { output.writeImmutableBuffer(value) }
        }
    }
}
