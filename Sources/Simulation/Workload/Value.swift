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
        bytes.reserveCapacity(8 + padding)
        bytes.writeInteger(number)
        // Compressible, but not constant.
        for start in stride(from: 0, to: padding, by: 32) {
            let byte = UInt8(truncatingIfNeeded: (number &+ UInt64(start)) &* 0x9E37_79B9 >> 5)
            bytes.writeRepeatingByte(byte, count: min(32, padding - start))
        }
        return bytes
    }

    /// Nil when these bytes are not a value, whole and unchanged.
    init?(_ bytes: ByteBuffer?) {
        guard let bytes, let number: UInt64 = bytes.getInteger(at: bytes.readerIndex) else { return nil }
        self.init(number: number)
        guard self.bytes(padding: bytes.readableBytes - 8) == bytes else { return nil }
    }

    init(number: UInt64) { self.number = number }
}

/// A partition of one incarnation of a topic, as clients know it.
struct Lane: Hashable, Comparable, Sendable, CustomStringConvertible {
    let topic: TopicID
    let partition: Int32

    static func < (a: Lane, b: Lane) -> Bool {
        (a.topic.high, a.topic.low, a.partition) < (b.topic.high, b.topic.low, b.partition)
    }

    var description: String { "\(topic)/\(partition)" }
}
