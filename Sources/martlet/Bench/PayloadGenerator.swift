import ArgumentParser
import Basics
import NIOCore

/// What the values of generated records look like.
enum PayloadKind: String, ExpressibleByArgument, CaseIterable, Codable, Sendable {
    /// Bytes that do not compress.
    case random
    /// Events as JSON, which compress about as well as real ones.
    case json
}

/// Makes values of one size; the same ones for the same seed.
struct PayloadGenerator {
    private let kind: PayloadKind
    private let byteCount: Int
    private var random: RandomSource
    private var time: Int64 = 1_700_000_000_000

    init(_ kind: PayloadKind, byteCount: Int, seed: UInt64) {
        self.kind = kind
        self.byteCount = byteCount
        random = RandomSource(seed: seed)
    }

    mutating func next() -> ByteBuffer {
        switch kind {
        case .random: randomBytes()
        case .json: event()
        }
    }

    private mutating func randomBytes() -> ByteBuffer {
        var value = ByteBuffer()
        value.reserveCapacity(byteCount + 8)
        while value.readableBytes < byteCount { value.writeInteger(random.next()) }
        value.moveWriterIndex(to: byteCount)
        return value
    }

    private static let words = """
        account address amount approved basket billing branch cancel carrier checkout client complete contract country \
        courier credit customer delivery deposit discount dispatch document estimate exchange express failed freight \
        gateway handling invoice item journey label ledger limit location manager margin market merchant method note \
        office order package partner payment pending pickup policy postal premium price product profile purchase \
        quantity receipt refund region registered request return route sales schedule seller service session \
        settlement shipment signature standard statement status stock storage supplier tariff terminal total tracking \
        transfer transit unit update vehicle vendor voucher warehouse weight
        """.split(separator: " ").map(String.init)

    private mutating func event() -> ByteBuffer {
        time += Int64(random.next() % 40)
        var text = "{\"id\":\"\(String(random.next(), radix: 16))\",\"at\":\(time),\"user\":\(random.next() % 100_000),"
        text += "\"kind\":\"\(word())\",\"amount\":\(Double(random.next() % 1_000_000) / 100),\"note\":\""
        while text.utf8.count + 2 < byteCount { text += word() + " " }
        var value = ByteBuffer(string: text)
        // Small sizes leave no room for all of it: such values are cut, and are no JSON any more.
        value.moveWriterIndex(to: min(value.writerIndex, max(0, byteCount - 2)))
        value.writeString("\"}")
        value.moveWriterIndex(to: byteCount)
        return value
    }

    private mutating func word() -> String { Self.words[Int(random.next() % UInt64(Self.words.count))] }
}
