import NIOCore

/// The body of a request or of a response.
public protocol KafkaMessage: KafkaStruct {
    /// The versions this module reads and writes.
    static var versions: ClosedRange<Int16> { get }

    /// The first version with compact lengths and tagged fields (KIP-482).
    static var flexible: Int16 { get }

    static var api: ApiKey { get }

    // Requirements although the defaults serve every message: the default is then specialised for each message inside
    // this module, and a caller elsewhere pays one call through the witness table instead of one per field.
    static func decode(from decoder: inout WireDecoder) throws(WireError) -> Self
    func encode(to encoder: inout WireEncoder) throws(WireError)
}

extension KafkaMessage {
    public static func decode(from decoder: inout WireDecoder) throws(WireError) -> Self {
        try Self(from: &decoder, nullable: false)
    }

    public func encode(to encoder: inout WireEncoder) throws(WireError) {
        try encode(to: &encoder, nullable: false)
    }

    /// Whether `version` is flexible: compact lengths, tagged fields, and the newer headers.
    public static func isFlexible(_ version: Int16) -> Bool { version >= flexible }

    /// Reads a body that follows its header. Bytes after it are ignored, as Kafka does: some clients pad.
    ///
    /// - Throws: ``WireError``; of any bytes, and without allocating more than the bytes themselves plus
    ///   ``WireDecoder/maximumArrayBytes``.
    public init(decoding body: ByteBuffer, version: Int16) throws(WireError) {
        guard Self.versions.contains(version) else {
            throw .unsupportedVersion(api: Self.api, version: version)
        }
        self = try WireDecoder.decode(body, version: version, isFlexible: Self.isFlexible(version))
    }
}

/// The body of a request.
public protocol KafkaRequest: KafkaMessage {
    associatedtype Response: KafkaResponse where Response.Request == Self
}

/// The body of a response; it has the versions of its request.
public protocol KafkaResponse: KafkaMessage {
    associatedtype Request: KafkaRequest where Request.Response == Self
}

extension KafkaResponse {
    public static var api: ApiKey { Request.api }
    public static var versions: ClosedRange<Int16> { Request.versions }
    public static var flexible: Int16 { Request.flexible }
}
