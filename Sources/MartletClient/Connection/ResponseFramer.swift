import Basics
import NIOCore

/// Cuts the bytes of a connection into responses.
///
/// Owner: a channel handler, on its event loop. Holds less than one response more than what arrived; a response is a
/// slice of the bytes read, copied once only if it came in several reads.
package struct ResponseFramer {
    private let bytesMaximum: Int
    private var buffer = ByteBuffer()

    package init(bytesMaximum: Int) {
        self.bytesMaximum = bytesMaximum
    }

    package mutating func append(_ bytes: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
            return
        }
        let needed = buffer.readableBytes + bytes.readableBytes
        if buffer.writableBytes < bytes.readableBytes || buffer.readerIndex > 0 {
            // Room for the whole response at once if it is not much more than what is already here: a length alone
            // must not make the client allocate.
            var grown = ByteBuffer()
            grown.reserveCapacity(max(needed, min(announcedBytes ?? needed, max(4 * needed, 1.mebibytes))))
            grown.writeImmutableBuffer(buffer)
            buffer = grown
        }
        buffer.writeImmutableBuffer(bytes)
    }

    /// The next whole response without its length; nil when more bytes must come.
    package mutating func next() throws(KafkaClientError) -> ByteBuffer? {
        guard let length = buffer.getInteger(at: buffer.readerIndex, as: Int32.self) else { return nil }
        guard length >= 4, Int(length) <= bytesMaximum else {
            throw KafkaClientError(
                .invalidResponse, "a response announces \(length) bytes; allowed are 4 to \(bytesMaximum)")
        }
        guard buffer.readableBytes >= 4 + Int(length) else { return nil }
        buffer.moveReaderIndex(forwardBy: 4)
        let response = buffer.readSlice(length: Int(length))
        if buffer.readableBytes == 0 { buffer = ByteBuffer() }
        return response
    }

    private var announcedBytes: Int? {
        buffer.getInteger(at: buffer.readerIndex, as: Int32.self).map { 4 + Int($0) }
    }
}
