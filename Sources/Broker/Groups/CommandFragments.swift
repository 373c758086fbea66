import Basics
import NIOCore

/// A piece of a command that is larger than the head of a log entry.
public struct CommandFragment: Hashable, Sendable {
    /// Its place among the pieces, from 0.
    public var position: UInt16
    /// How many there are.
    public var count: UInt16
    public var bytes: ByteBuffer

    /// Bytes of a fragment command before its piece: kind, position, count.
    private static let headerBytes = 5
    /// Largest command that may be cut into fragments. Bounds what a replica holds for an unfinished one.
    public static let commandBytesMax = 4.mebibytes

    /// The heads that carry a command: its own bytes if they fit, fragments otherwise. They must stand in the log one
    /// behind the other.
    static func heads(of command: ByteBuffer, headBytesMax: Int) -> [ByteBuffer] {
        guard command.readableBytes > headBytesMax else { return [command] }
        let pieceBytes = headBytesMax - headerBytes
        let count = UInt16((command.readableBytes + pieceBytes - 1) / pieceBytes)
        var rest = command
        return (0..<count).compactMap { position in
            rest.readSlice(length: min(pieceBytes, rest.readableBytes)).map { piece in
                Command.fragment(CommandFragment(position: position, count: count, bytes: piece)).encoded()
            }
        }
    }
}

/// Puts the fragments of a command together again.
///
/// Owner: the `TopicsFSM`, on the event loop. Holds at most `CommandFragment.commandBytesMax`.
struct CommandAssembly {
    private(set) var bytes = ByteBuffer()
    private(set) var received: UInt16 = 0
    private var count: UInt16 = 0

    /// Takes the next fragment. One that does not follow the last is ignored with all before it: an earlier leader did
    /// not come to the end of its command, which therefore never happened.
    ///
    /// - Returns: the whole command with its last fragment.
    mutating func add(_ fragment: CommandFragment) -> ByteBuffer? {
        if fragment.position == 0 {
            discard()
            count = fragment.count
        }
        guard fragment.position == received, fragment.count == count,
            bytes.readableBytes + fragment.bytes.readableBytes <= CommandFragment.commandBytesMax
        else {
            discard()
            return nil
        }
        bytes.writeImmutableBuffer(fragment.bytes)
        received += 1
        guard received == count else { return nil }
        let whole = bytes
        discard()
        return whole
    }

    /// Another command came: what is unfinished stays so.
    mutating func discard() {
        guard received > 0 || count > 0 else { return }
        bytes = ByteBuffer()
        received = 0
        count = 0
    }
}
