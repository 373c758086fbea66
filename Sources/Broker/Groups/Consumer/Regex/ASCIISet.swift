/// A set of ASCII characters. Topic names have no others, so nothing else need ever match.
struct ASCIISet: Hashable {
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    static let none = ASCIISet()
    static let all = ASCIISet(0...127)
    static let digits = ASCIISet("0"..."9")
    static let letters = ASCIISet("a"..."z").union(ASCIISet("A"..."Z"))
    static let word = letters.union(digits).union(ASCIISet("_"..."_"))
    static let space = ASCIISet("\t"..."\n").union(ASCIISet("\u{0C}"..."\r")).union(ASCIISet(" "..." "))

    private init() {}

    /// Those of the range that are ASCII.
    init(_ range: ClosedRange<UInt32>) {
        guard range.lowerBound < 128 else { return }
        for character in range.clamped(to: 0...127) { insert(UInt8(character)) }
    }

    init(_ range: ClosedRange<Unicode.Scalar>) { self.init(range.lowerBound.value...range.upperBound.value) }

    private mutating func insert(_ byte: UInt8) {
        if byte < 64 { low |= 1 << UInt64(byte) } else { high |= 1 << UInt64(byte - 64) }
    }

    func contains(_ byte: UInt8) -> Bool {
        byte < 64 ? low >> UInt64(byte) & 1 == 1 : byte < 128 && high >> UInt64(byte - 64) & 1 == 1
    }

    func union(_ other: ASCIISet) -> ASCIISet {
        var result = self
        result.low |= other.low
        result.high |= other.high
        return result
    }

    var inverted: ASCIISet {
        var result = self
        result.low = ~low
        result.high = ~high
        return result
    }

    /// With every letter also in its other case.
    var withBothCases: ASCIISet {
        var result = self
        for letter in UInt8(ascii: "a")...UInt8(ascii: "z") {
            if contains(letter) { result.insert(letter - 32) }
            if contains(letter - 32) { result.insert(letter) }
        }
        return result
    }

    /// POSIX's classes by name, as in `[[:alpha:]]`.
    static let named: [String: ASCIISet] = [
        "alnum": letters.union(digits),
        "alpha": letters,
        "ascii": all,
        "blank": ASCIISet(" "..." ").union(ASCIISet("\t"..."\t")),
        "cntrl": ASCIISet(0...31).union(ASCIISet(127...127)),
        "digit": digits,
        "graph": ASCIISet("!"..."~"),
        "lower": ASCIISet("a"..."z"),
        "print": ASCIISet(" "..."~"),
        "punct": ASCIISet("!"..."/").union(ASCIISet(":"..."@")).union(ASCIISet("["..."`")).union(ASCIISet("{"..."~")),
        "space": ASCIISet("\t"..."\r").union(ASCIISet(" "..." ")),
        "upper": ASCIISet("A"..."Z"),
        "word": word,
        "xdigit": digits.union(ASCIISet("a"..."f")).union(ASCIISet("A"..."F")),
    ]
}
