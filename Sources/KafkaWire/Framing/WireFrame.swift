import NIOCore

/// A frame ready to be written: its 4-byte length, header and body, as buffers to be written in order.
///
/// | bytes | field |
/// |---|---|
/// | 0–3 | length of what follows, int32 |
/// | 4– | request or response header |
/// | … | body |
///
/// Most frames are one buffer. Record batches from ``WireEncoder/attachmentThreshold`` on are buffers of their own:
/// slices of wherever the batch lies, never copies.
public struct WireFrame: RandomAccessCollection, Sendable {
    // Apart, so that a frame of one buffer needs no array.
    private let head: ByteBuffer
    private let tail: [ByteBuffer]
    /// The bytes of all parts together.
    public let byteCount: Int

    init(head: ByteBuffer, tail: [ByteBuffer], byteCount: Int) {
        self.head = head
        self.tail = tail
        self.byteCount = byteCount
    }

    public var startIndex: Int { 0 }
    public var endIndex: Int { tail.count + 1 }
    public subscript(position: Int) -> ByteBuffer { position == 0 ? head : tail[position - 1] }

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

    /// All parts in one buffer. Copies unless there is only one.
    public var contiguous: ByteBuffer {
        if tail.isEmpty { return head }
        var whole = ByteBuffer()
        whole.reserveCapacity(byteCount)
        for part in self { whole.writeImmutableBuffer(part) }
        return whole
    }
}
