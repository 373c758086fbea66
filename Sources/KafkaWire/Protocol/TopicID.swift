/// The identity of one incarnation of a topic: 16 bytes, the protocol's `uuid` (KIP-516).
///
/// A topic that is deleted and created again under its name gets a new one, which is how clients notice.
public struct TopicID: Hashable, Sendable {
    public var high: UInt64
    public var low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// "None", wherever a topic id may be missing.
    public static let zero = TopicID(high: 0, low: 0)

    /// Kafka's id of its metadata topic, which no other topic may have.
    public static let metadata = TopicID(high: 0, low: 1)

    /// A random id (RFC 9562, version 4), never one whose text begins with "-", which command lines would take for an
    /// option.
    public init<Generator: RandomNumberGenerator>(using generator: inout Generator) {
        repeat {
            high = generator.next() & ~0xF000 | 0x4000
            low = generator.next() & ~(0b11 << 62) | 0b10 << 62
        } while high >> 58 == Self.dash
    }
}

extension TopicID: CustomStringConvertible, LosslessStringConvertible {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    private static let dash: UInt64 = 62

    /// 22 characters of URL-safe base64 without padding, as Kafka's tools write it.
    public var description: String {
        String(unsafeUninitializedCapacity: 22) { text in
            for position in 0..<22 {
                text[position] = Self.alphabet[Int(sextet(at: position))]
            }
            return 22
        }
    }

    /// The id of that text, or nil unless it is exactly what ``description`` gives for some id.
    public init?(_ text: String) {
        guard text.utf8.count == 22 else { return nil }
        self = .zero
        for (position, character) in text.utf8.enumerated() {
            guard let value = Self.alphabet.firstIndex(of: character) else { return nil }
            let sextet = UInt64(value)
            if position < 21 {
                shiftLeft(by: 6, adding: sextet)
            } else {
                // 22 sextets are 132 bits, four more than an id has.
                guard sextet & 0xF == 0 else { return nil }
                shiftLeft(by: 2, adding: sextet >> 4)
            }
        }
    }

    /// Six bits of the id, counted from its beginning; the last has two, followed by four zeros.
    private func sextet(at position: Int) -> UInt64 {
        let first = position * 6
        if first + 6 <= 64 { return high >> (58 - first) & 0x3F }
        if first < 64 { return (high << (first - 58) | low >> (122 - first)) & 0x3F }
        if first + 6 <= 128 { return low >> (122 - first) & 0x3F }
        return low << (first - 122) & 0x3F
    }

    private mutating func shiftLeft(by bits: UInt64, adding value: UInt64) {
        high = high << bits | low >> (64 - bits)
        low = low << bits | value
    }
}
