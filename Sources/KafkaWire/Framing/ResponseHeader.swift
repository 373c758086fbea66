import NIOCore

/// The header of a response.
///
/// | offset | size | field | version |
/// |---|---|---|---|
/// | 0 | 4 | correlation id | 0+ |
/// | 4 | … | tagged fields | 1+ |
public struct ResponseHeader: Hashable, Sendable {
    public var correlationID: Int32

    public init(correlationID: Int32) {
        self.correlationID = correlationID
    }

    /// 1 for flexible versions, else 0; and always 0 for ApiVersions, whose answer must be readable by a client that
    /// asked for a version the broker does not have (KIP-511).
    public static func version(of api: ApiKey, isFlexible: Bool) -> Int16 {
        isFlexible && api != .apiVersions ? 1 : 0
    }

    /// Reads the header of the response to a `Request` of `version`, and leaves `frame` at the body.
    public init<Request: KafkaRequest>(
        from frame: inout ByteBuffer, answering: Request.Type, version: Int16
    ) throws(WireError) {
        let headerVersion = Self.version(of: Request.api, isFlexible: Request.isFlexible(version))
        let (correlationID, length) = try frame.withUnsafeReadableBytes { bytes throws(WireError) in
            var cursor = ByteCursor(bytes)
            let correlationID: Int32 = try cursor.integer()
            if headerVersion >= 1 { try cursor.skipTaggedFields() }
            return (correlationID, cursor.position)
        }
        self.init(correlationID: correlationID)
        frame.moveReaderIndex(forwardBy: length)
    }

    func encode(to encoder: inout WireEncoder, headerVersion: Int16) {
        encoder.write(correlationID)
        if headerVersion >= 1 { encoder.write(0 as UInt8) }
    }
}
