import Basics

/// Realistic records by seed: the events of a web shop as JSON lines of about 220 bytes, with what real events have
/// in common (the same keys, few values for most, some text, some noise that no codec can shrink).
struct EventGenerator {
    private static let kinds = [
        "view", "view", "view", "search", "add_to_cart", "add_to_cart", "remove", "checkout", "payment",
    ]
    private static let countries = ["DE", "FR", "US", "US", "GB", "JP", "BR", "IN", "NL", "SE", "PL", "ES"]
    private static let agents = ["Firefox/146", "Chrome/148", "Chrome/147", "Safari/20", "Edge/148", "martlet-app/3.2"]
    private static let words = [
        "red", "blue", "running", "shoes", "lamp", "desk", "coffee", "tent", "jacket", "garden", "wireless", "charger",
        "kids", "oak", "steel", "summer", "winter", "large", "small", "gift",
    ]

    private var random: RandomSource
    private var clock: Int64 = 1_767_225_600_000

    init(seed: UInt64) { random = RandomSource(seed: seed) }

    /// The next event; `producer` and `sequence` make it unlike any other.
    mutating func next(producer: Int, sequence: Int) -> String {
        clock += Int64(random.next() % 20)
        let user = random.next() % 50_000
        let price = Double(random.next() % 49_900 + 100) / 100
        return """
            {"ts":\(clock),"id":"\(producer)-\(sequence)","type":"\(pick(Self.kinds))","user":\(user),\
            "session":"\(hex(random.next()))","country":"\(pick(Self.countries))","agent":"\(pick(Self.agents))",\
            "item":{"sku":"SKU-\(random.next() % 8_000)",\
            "name":"\(pick(Self.words)) \(pick(Self.words))","price":\(price)},\
            "qty":\(random.next() % 4 + 1)}
            """
    }

    private mutating func pick(_ values: [String]) -> String { values[Int(random.next() % UInt64(values.count))] }

    private func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
