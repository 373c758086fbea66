import Basics
import NIOCore
import Synchronization

/// A block that does not know its place yet: directory, payload and payload checksum are done, the header is not.
///
/// It gets its place once, in its own memory: a second stamp would have to copy, so it traps.
public final class EncodedBlock: Sendable {
    /// What became of the attempt to compress the payload; nil if there was none.
    public let didShrink: Bool?
    private let header: BlockHeader
    private let rawPayload: ByteBuffer?
    /// Its first buffer, which begins with the header to be, and the others.
    private let unstamped: Mutex<(front: ByteBuffer, rest: [ByteBuffer])?>

    init(
        header: BlockHeader, front: ByteBuffer, rest: [ByteBuffer] = [], rawPayload: ByteBuffer?, didShrink: Bool?
    ) {
        self.header = header
        self.didShrink = didShrink
        self.rawPayload = rawPayload
        unstamped = Mutex((front, rest))
    }

    /// Number of entries.
    public var count: Int { header.count }
    /// Bytes on disk and on the wire.
    public var encodedSize: Int { header.encodedSize }
    /// Bytes of the payload before compression.
    public var rawLength: Int { header.rawLength }
    public var codec: BlockCodec { header.codec }

    /// Fills in the header. Cheap: a checksum over header and directory.
    public func stamp(base: LogIndex, term: Term, segment: LogIndex) -> Block {
        invariant(segment.rawValue >= 1 && segment <= base, "block \(base) cannot lie in segment \(segment)")
        var stamped = header
        stamped.base = base
        stamped.term = term
        stamped.segment = segment
        guard case (var front, let rest)? = takeBytes() else {
            preconditionFailure("invariant broken: block \(base) was stamped before")
        }
        stamped.headerChecksum = front.withUnsafeMutableReadableBytes { raw in
            stamped.write(to: raw)
            let checksum = BlockHeader.checksum(UnsafeRawBufferPointer(raw), directoryLength: stamped.directoryLength)
            raw.put(checksum, at: BlockFormat.headerBytes - 4)
            return checksum
        }
        return Block(header: stamped, bytes: BufferChain(front, rest), attachedPayload: rawPayload)
    }

    private func takeBytes() -> (ByteBuffer, [ByteBuffer])? {
        unstamped.withLock { bytes in
            defer { bytes = nil }
            return bytes
        }
    }
}
