import Basics
import NIOCore
import SegmentLog

/// Cuts a stream of bytes into frames that begin with their length in four bytes.
///
/// Owner: a channel handler, on the event loop. Frames are slices of what was read. One that comes in several reads is
/// copied once, or linked from them, as the owner wants it. Memory grows with the bytes that arrive, never with the
/// length announced.
package struct FrameAccumulator {
    package enum Next {
        case frame(BufferChain)
        case needMore
        /// The announced length is negative or above the limit.
        case invalid(length: Int)
    }

    /// Longest frame accepted, without its length. May change between frames.
    package var frameBytesMax: Int
    private let linkedBytesMin: Int
    private let endianness: Endianness
    /// What came last and was not taken yet.
    private var buffer = ByteBuffer()
    /// What lies before it: the beginning of a frame, in pieces that are linked.
    private var linked: [ByteBuffer] = []
    private var linkedBytes = 0

    /// - Parameter linkedBytesMin: reads of at least this size are linked to what came before them. Without it, frames
    ///   are always one buffer.
    package init(frameBytesMax: Int, endianness: Endianness, linkedBytesMin: Int = .max) {
        self.frameBytesMax = frameBytesMax
        self.linkedBytesMin = linkedBytesMin
        self.endianness = endianness
    }

    /// Bytes that arrived and are not yet part of a whole frame.
    package var bufferedBytes: Int { linkedBytes + buffer.readableBytes }

    package mutating func append(_ bytes: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
            return
        }
        if bytes.readableBytes >= linkedBytesMin {
            linked.append(buffer)
            linkedBytes += buffer.readableBytes
            buffer = bytes
            return
        }
        // A slice of an earlier frame may still be held by the log: move the rest into a buffer of its own, as large
        // as the frame if that is known, so that it is copied only once.
        let needed = buffer.readableBytes + bytes.readableBytes
        if buffer.writableBytes < bytes.readableBytes || buffer.readerIndex > 0 {
            let announced = announcedLength.map { 4 + Int($0) - linkedBytes }
            var grown = ByteBuffer()
            grown.reserveCapacity(max(needed, min(announced ?? needed, max(2 * needed, 1.mebibytes))))
            grown.writeImmutableBuffer(buffer)
            buffer = grown
        }
        buffer.writeImmutableBuffer(bytes)
    }

    /// The next whole frame, without its length.
    package mutating func next() -> Next {
        guard let length = announcedLength else { return .needMore }
        guard length >= 0, Int(length) <= frameBytesMax else { return .invalid(length: Int(length)) }
        guard bufferedBytes >= 4 + Int(length) else { return .needMore }
        return .frame(linked.isEmpty ? takeFromBuffer(Int(length)) : takeLinked(Int(length)))
    }

    private mutating func takeFromBuffer(_ length: Int) -> BufferChain {
        buffer.moveReaderIndex(forwardBy: 4)
        guard let frame = buffer.readSlice(length: length) else { preconditionFailure("the frame is there") }
        if buffer.readableBytes == 0 { buffer = ByteBuffer() }
        return BufferChain(frame)
    }

    private mutating func takeLinked(_ length: Int) -> BufferChain {
        let all = chain
        let rest = all.part(4 + length ..< all.byteCount)
        buffer = rest[rest.endIndex - 1]
        linked = Array(rest.dropLast())
        linkedBytes = rest.byteCount - buffer.readableBytes
        return all.part(4 ..< 4 + length)
    }

    private var chain: BufferChain {
        linked.isEmpty ? BufferChain(buffer) : BufferChain(linked[0], linked.dropFirst() + [buffer])
    }

    /// As the frame's first bytes tell it; nil until they are there.
    private var announcedLength: Int32? {
        let first = linked.first ?? buffer
        return first.getInteger(at: first.readerIndex, endianness: endianness)
            ?? chain.integer(at: 0, endianness: endianness)
    }
}
