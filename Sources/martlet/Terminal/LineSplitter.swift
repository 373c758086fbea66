import NIOCore

/// Cuts bytes that come in pieces into lines, without their line feeds.
///
/// Owned by its caller; holds the piece being cut and the beginning of one line.
struct LineSplitter {
    private let lineBytesMaximum: Int
    private var buffer = ByteBuffer()
    /// Up to here there is no line feed.
    private var searched = 0

    init(lineBytesMaximum: Int) {
        self.lineBytesMaximum = lineBytesMaximum
    }

    mutating func append(_ bytes: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.discardReadBytes()
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// The next whole line; nil when more bytes must come.
    mutating func next() throws -> ByteBuffer? {
        let rest = buffer.readableBytesView.dropFirst(searched)
        guard let lineFeed = rest.firstIndex(of: UInt8(ascii: "\n")) else {
            searched = buffer.readableBytes
            guard searched <= lineBytesMaximum else {
                throw CommandFailure("a line is longer than \(lineBytesMaximum) bytes, the largest record that is sent")
            }
            return nil
        }
        searched = 0
        let line = buffer.readSlice(length: lineFeed - buffer.readerIndex)
        buffer.moveReaderIndex(forwardBy: 1)
        return line
    }

    /// What follows the last line feed; nil if nothing does.
    mutating func last() -> ByteBuffer? {
        searched = 0
        return buffer.readSlice(length: buffer.readableBytes).flatMap { $0.readableBytes > 0 ? $0 : nil }
    }
}
