import Basics
import KafkaWire
import NIOCore

/// The value of a record in a simulated world: a number that is written once in the world's life, and padding that
/// follows from it, so that a wrong byte anywhere shows.
struct Value: Hashable, Comparable, Sendable, CustomStringConvertible {
    let number: UInt64

    static func < (a: Value, b: Value) -> Bool { a.number < b.number }
    var description: String { "value \(number)" }

    func bytes(padding: Int) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeInteger(number)
        bytes.writeBytes((0..<padding).lazy.map { byte(at: $0) })
        return bytes
    }

    /// Nil when these bytes are not a value, whole and unchanged.
    init?(_ bytes: ByteBuffer?) {
        guard var bytes, let number: UInt64 = bytes.readInteger() else { return nil }
        self.init(number: number)
        for (position, byte) in bytes.readableBytesView.enumerated() where byte != self.byte(at: position) {
            return nil
        }
    }

    init(number: UInt64) { self.number = number }

    /// Compressible, but not constant.
    private func byte(at position: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: (number &+ UInt64(position / 7)) &* 0x9E37_79B9)
    }
}

/// A partition of one incarnation of a topic, as clients know it.
struct Lane: Hashable, Sendable, CustomStringConvertible {
    let topic: TopicID
    let partition: Int32
    var description: String { "\(topic)/\(partition)" }
}
