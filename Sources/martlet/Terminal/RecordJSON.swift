import Foundation
import KafkaWire
import MartletClient
import NIOCore

/// A record as `consume --json` prints it. Bytes that are no UTF-8 come as base64, under names of their own.
struct RecordJSON: Encodable {
    struct Header: Encodable {
        var name: String
        var value: String?
        var valueBase64: String?
    }

    var topic: String
    var partition: Int32
    var offset: Int64
    var timestamp: Int64
    var key: String?
    var keyBase64: String?
    var value: String?
    var valueBase64: String?
    var headers: [Header]?

    init(_ record: ConsumerRecord) {
        topic = record.topic
        partition = record.partition
        offset = record.offset
        timestamp = record.timestamp
        (key, keyBase64) = Self.text(record.key)
        (value, valueBase64) = Self.text(record.value)
        let headers = record.headers.map { header in
            let (value, valueBase64) = Self.text(header.value)
            return Header(name: header.key, value: value, valueBase64: valueBase64)
        }
        self.headers = headers.isEmpty ? nil : headers
    }

    private static func text(_ bytes: ByteBuffer?) -> (String?, base64: String?) {
        guard let bytes else { return (nil, nil) }
        if let text = String(validating: bytes.readableBytesView, as: UTF8.self) { return (text, nil) }
        return (nil, Data(bytes.readableBytesView).base64EncodedString())
    }
}
