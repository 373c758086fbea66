import NIOCore

/// A frame ready to be written: its 4-byte length, header and body, as buffers to be written in order.
///
/// | bytes | field |
/// |---|---|
/// | 0–3 | length of what follows, int32 |
/// | 4– | request or response header |
/// | … | body |
///
/// Most frames are one part. Record batches from ``WireEncoder/attachmentThreshold`` on are buffers of their own:
/// slices of wherever the batch lies, never copies.
public struct WireFrame: RandomAccessCollection, Sendable {
    /// What was encoded, as it is: most frames are small answers, which are copied to where several of them leave
    /// together and never become buffers.
    private let head: [UInt8]
    private let tail: [ByteBuffer]
    /// The bytes of all parts together.
    public let byteCount: Int

    init(head: [UInt8], tail: [ByteBuffer], byteCount: Int) {
        self.head = head
        self.tail = tail
        self.byteCount = byteCount
    }

    public var startIndex: Int { 0 }
    public var endIndex: Int { tail.count + 1 }
    public subscript(position: Int) -> ByteBuffer { position == 0 ? ByteBuffer(bytes: head) : tail[position - 1] }

    /// A response frame, headed as its API and version demand.
    ///
    /// - Throws: ``WireError/unsupportedVersion(api:version:)``, ``WireError/unexpectedNull``,
    ///   ``WireError/stringTooLong``, or ``WireError/invalidFrame`` beyond 2 GiB.
    public init<Response: KafkaResponse>(
        _ response: Response, version: Int16, correlationID: Int32
    ) throws(WireError) {
        guard Response.versions.contains(version) else {
            throw .unsupportedVersion(api: Response.api, version: version)
        }
        let isFlexible = Response.isFlexible(version)
        var encoder = WireEncoder(version: version, isFlexible: isFlexible)
        encoder.write(0 as Int32)
        ResponseHeader(correlationID: correlationID)
            .encode(to: &encoder, headerVersion: ResponseHeader.version(of: Response.api, isFlexible: isFlexible))
        try response.encode(to: &encoder)
        self = try encoder.finishFrame()
    }

    /// A request frame.
    ///
    /// - Throws: as for a response.
    public init<Request: KafkaRequest>(
        _ request: Request, version: Int16, correlationID: Int32, clientID: String?
    ) throws(WireError) {
        guard Request.versions.contains(version) else {
            throw .unsupportedVersion(api: Request.api, version: version)
        }
        let isFlexible = Request.isFlexible(version)
        var encoder = WireEncoder(version: version, isFlexible: isFlexible)
        encoder.write(0 as Int32)
        try RequestHeader(api: Request.api, version: version, correlationID: correlationID, clientID: clientID)
            .encode(to: &encoder)
        try request.encode(to: &encoder)
        self = try encoder.finishFrame()
    }

    /// All parts in one buffer, copied.
    public var contiguous: ByteBuffer {
        var whole = ByteBuffer()
        whole.reserveCapacity(byteCount)
        append(to: &whole)
        return whole
    }

    /// Copies all parts to the end of `buffer`.
    public func append(to buffer: inout ByteBuffer) {
        buffer.writeBytes(head)
        for part in tail { buffer.writeImmutableBuffer(part) }
    }
}
