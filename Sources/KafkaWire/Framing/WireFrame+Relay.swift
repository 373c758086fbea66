import NIOCore

/// Frames that pass through a broker on their way to or from another one, without being understood.
extension WireFrame {
    /// A frame around a header and body that are encoded already.
    public init(framing headerAndBody: ByteBuffer) {
        let length = withUnsafeBytes(of: Int32(headerAndBody.readableBytes).bigEndian) { Array($0) }
        self.init(head: length, tail: [headerAndBody], byteCount: 4 + headerAndBody.readableBytes)
    }

    /// Header and body in one buffer, without the frame's length.
    public var withoutLength: ByteBuffer {
        var bytes = contiguous
        bytes.moveReaderIndex(forwardBy: 4)
        return bytes
    }
}
