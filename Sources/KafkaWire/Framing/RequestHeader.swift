import NIOCore

/// The header of a request.
///
/// | offset | size | field | version |
/// |---|---|---|---|
/// | 0 | 2 | API key | 1+ |
/// | 2 | 2 | API version | 1+ |
/// | 4 | 4 | correlation id | 1+ |
/// | 8 | 2 + n | client id: int16 length, −1 for null, never compact | 1+ |
/// | … | … | tagged fields | 2+ |
///
/// Requests of a flexible version have header version 2, all others 1.
public struct RequestHeader: Hashable, Sendable {
    public var api: ApiKey
    public var version: Int16
    public var correlationID: Int32
    public var clientID: String?

    public init(api: ApiKey, version: Int16, correlationID: Int32, clientID: String?) {
        self.api = api
        self.version = version
        self.correlationID = correlationID
        self.clientID = clientID
    }

    /// Reads a header and leaves `frame` at the body.
    ///
    /// Of an API or version that this module does not know, only the first eight bytes are read: what follows may have
    /// any form. (An ApiVersions request of a newer version must still be answered, see ``ApiVersionTable``.)
    public init(from frame: inout ByteBuffer) throws(WireError) {
        let (header, length) = try frame.withUnsafeReadableBytes { bytes throws(WireError) in
            var cursor = ByteCursor(bytes)
            return (try RequestHeader(from: &cursor), cursor.position)
        }
        self = header
        frame.moveReaderIndex(forwardBy: length)
    }

    private init(from cursor: inout ByteCursor) throws(WireError) {
        api = ApiKey(rawValue: try cursor.integer())
        version = try cursor.integer()
        correlationID = try cursor.integer()
        guard let support = ApiVersionTable[api], support.decodable.contains(version) else { return }
        let length: Int16 = try cursor.integer()
        guard length >= -1 else { throw .invalidLength }
        if length >= 0 { clientID = try cursor.string(Int(length)) }
        if version >= support.flexible { try cursor.skipTaggedFields() }
    }

    func encode(to encoder: inout WireEncoder) throws(WireError) {
        encoder.write(api.rawValue)
        encoder.write(version)
        encoder.write(correlationID)
        if let clientID {
            let length = clientID.utf8.count
            guard length <= Int(Int16.max) else { throw .stringTooLong }
            encoder.write(Int16(length))
            encoder.write(clientID)
        } else {
            encoder.write(-1 as Int16)
        }
        if encoder.isFlexible { encoder.write(0 as UInt8) }
    }
}
