import Foundation
import KafkaWire
import MartletClient
import NIOCore

/// Records as `consume --json` prints them: one object a line, keys in order. Bytes that are no UTF-8 come as base64,
/// under names of their own; what is null or empty is left out.
///
/// Written by hand because an encoder takes longer for a record than everything else together.
enum RecordJSON {
    static func writeLine(_ record: ConsumerRecord, to output: inout ByteBuffer) {
        output.writeString("{")
        writeHeaders(record.headers, to: &output)
        if let key = record.key {
            write("key", key, to: &output)
            output.writeString(",")
        }
        output.writeString("\"offset\":\(record.offset),\"partition\":\(record.partition),")
        output.writeString("\"timestamp\":\(record.timestamp),\"topic\":")
        writeString(record.topic.utf8, to: &output)
        if let value = record.value {
            output.writeString(",")
            write("value", value, to: &output)
        }
        output.writeString("}\n")
    }

    private static func writeHeaders(_ headers: RecordHeaders, to output: inout ByteBuffer) {
        guard headers.count > 0 else { return }
        output.writeString("\"headers\":[")
        for (index, header) in headers.enumerated() {
            output.writeString(index > 0 ? ",{\"name\":" : "{\"name\":")
            writeString(header.key.utf8, to: &output)
            if let value = header.value {
                output.writeString(",")
                write("value", value, to: &output)
            }
            output.writeString("}")
        }
        output.writeString("],")
    }

    private static func write(_ name: String, _ bytes: ByteBuffer, to output: inout ByteBuffer) {
        if String(validating: bytes.readableBytesView, as: UTF8.self) != nil {
            output.writeString("\"\(name)\":")
            writeString(bytes.readableBytesView, to: &output)
        } else {
            output.writeString("\"\(name)Base64\":\"\(Data(bytes.readableBytesView).base64EncodedString())\"")
        }
    }

    /// - Parameter text: valid UTF-8.
    private static func writeString(_ text: some Collection<UInt8>, to output: inout ByteBuffer) {
        output.writeInteger(UInt8(ascii: "\""))
        var rest = text[...]
        while let special = rest.firstIndex(where: isSpecial) {
            output.writeBytes(rest[..<special])
            output.writeString(escape(rest[special]))
            rest = rest[rest.index(after: special)...]
        }
        output.writeBytes(rest)
        output.writeInteger(UInt8(ascii: "\""))
    }

    private static func isSpecial(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private static func escape(_ byte: UInt8) -> String {
        switch byte {
        case UInt8(ascii: "\""): return "\\\""
        case UInt8(ascii: "\\"): return "\\\\"
        case UInt8(ascii: "\n"): return "\\n"
        case UInt8(ascii: "\r"): return "\\r"
        case UInt8(ascii: "\t"): return "\\t"
        default: return "\\u00" + (byte < 0x10 ? "0" : "") + String(byte, radix: 16)
        }
    }
}
