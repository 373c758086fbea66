import Basics
import NIOCore

/// Cuts a stream of bytes into frames that begin with their length in four bytes.
///
/// Owner: a channel handler, on the event loop. Frames are slices of what was read: nothing is copied unless a frame
/// comes in several reads, and then once. Memory grows with the bytes that arrive, never with the length announced.
package struct FrameAccumulator {
    package enum Next {
        case frame(ByteBuffer)
        case needMore
        /// The announced length is negative or above the limit.
        case invalid(length: Int)
    }

    /// Longest frame accepted, without its length. May change between frames.
    package var frameBytesMax: Int
    private let endianness: Endianness
    private var buffer = ByteBuffer()

    package init(frameBytesMax: Int, endianness: Endianness) {
        self.frameBytesMax = frameBytesMax
        self.endianness = endianness
    }

    /// Bytes that arrived and are not yet part of a whole frame.
    package var bufferedBytes: Int { buffer.readableBytes }

    package mutating func append(_ bytes: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
            return
        }
        // A slice of an earlier frame may still be held by the log: move the rest into a buffer of its own, as large
        // as the frame if that is known, so that it is copied only once.
        let needed = buffer.readableBytes + bytes.readableBytes
        if buffer.writableBytes < bytes.readableBytes || buffer.readerIndex > 0 {
            var grown = ByteBuffer()
            grown.reserveCapacity(max(needed, min(announcedBytes ?? needed, max(2 * needed, 1.mebibytes))))
            grown.writeImmutableBuffer(buffer)
            buffer = grown
        }
        buffer.writeImmutableBuffer(bytes)
    }

    /// The next whole frame, without its length.
    package mutating func next() -> Next {
        guard let length: Int32 = buffer.getInteger(at: buffer.readerIndex, endianness: endianness) else {
            return .needMore
        }
        guard length >= 0, Int(length) <= frameBytesMax else { return .invalid(length: Int(length)) }
        guard buffer.readableBytes >= 4 + Int(length) else { return .needMore }
        buffer.moveReaderIndex(forwardBy: 4)
        guard let frame = buffer.readSlice(length: Int(length)) else { return .needMore }
        if buffer.readableBytes == 0 { buffer = ByteBuffer() }
        return .frame(frame)
    }

    /// Bytes of the frame being received, length included, once its length is known and valid.
    private var announcedBytes: Int? {
        guard let length: Int32 = buffer.getInteger(at: buffer.readerIndex, endianness: endianness), length >= 0,
            Int(length) <= frameBytesMax
        else { return nil }
        return 4 + Int(length)
    }
}
