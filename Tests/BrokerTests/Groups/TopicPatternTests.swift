import Basics
import Testing

@testable import Broker

@Suite struct TopicPatternTests {
    private func matches(_ regex: String, _ name: String) throws -> Bool {
        var steps = 1_000_000
        return try TopicPattern(regex).matches(among: [name], steps: &steps) == [name]
    }

    @Test(arguments: [
        ("orders", "orders", "orders1 xorders order"),
        ("orders-.*", "orders- orders-eu orders-.x", "orders order-eu"),
        ("^orders|pay$", "orders pay", "orderspay ordersx"),
        ("a*b+c?", "b aab abbc", "a ac abcc"),
        ("(ab)+(?:c|d)?", "ab ababc abd", "aba abcd"),
        ("[a-c]{2,3}", "ab cba", "a abca ad"),
        ("a{2}", "aa", "a aaa"),
        ("a{2,}", "aa aaaa", "a"),
        ("x{,2}", "x{,2}", "x xx"),
        ("a{", "a{", "a"),
        ("[^0-9]+", "ab._-", "a1 1"),
        (#"\d\D\w\W"#, "1a_- 2.x-", "1a11 aa--"),
        (#"t\.1"#, "t.1", "tx1"),
        (#"\Qa.b*\Ec"#, "a.b*c", "axbc"),
        (#"\Qab\E+"#, "ab abb", "abab"),
        ("[[:upper:]]_[[:^digit:]]", "A_b Z_.", "a_b A_1"),
        ("[]a]", "] a", "b"),
        ("[a-]", "a -", "b"),
        (#"[\d\-x]+"#, "1-x", "a"),
        ("(?i)abc", "abc ABC aBc", "abd"),
        ("(?i:a)b", "ab Ab", "AB"),
        ("((?i)a)b", "ab Ab", "aB"),
        ("(?i)[^a]", "b B", "a A"),
        ("(?P<name>a)(?<other>b)", "ab", "a"),
        (#"\x41\x{42}\103"#, "ABC", "abc"),
        (#".*\bb\b.*"#, "a-b b a.b-c", "ab bc"),
        (#"a\Bb"#, "ab", "a"),
        (#"\Aab\z"#, "ab", "abb"),
        ("(a|ab)(c|bcd)", "ac abc abcd abbcd", "ab a"),
        ("(|a)+b", "b ab aab", "a"),
        ("", "", "a"),
        ("a|", "a", "b"),
        ("é?x", "x", "ex"),
    ] as [(String, String, String)])
    func `the whole name matches or it does not`(regex: String, good: String, bad: String) throws {
        for name in good.split(separator: " ") { #expect(try matches(regex, String(name)), "\(name)") }
        for name in bad.split(separator: " ") { #expect(try !matches(regex, String(name)), "\(name)") }
    }

    @Test(arguments: [
        "(", ")", "a)", "(a", "[", "[a", "[z-a]", "*", "+a", "a**", "a*+", "a|*", "a{2}{3}", "a{1001}", "a{3,2}", #"\"#,
        #"\1"#, #"(a)\1"#, "(?=a)", "(?!a)", "(?<=a)", "(?>a)", "(?P<>a)", "(?x)", #"\Z"#, #"\p{Greek}"#, #"\xg1"#,
        #"\x{110000}"#, "[[:nope:]]", "(?", "(?i", #"\x{-1}"#,
    ])
    func `what RE2 would not accept is refused`(regex: String) {
        #expect(throws: PatternError.self) { try TopicPattern(regex) }
    }

    @Test func `expressions have bounds`() throws {
        #expect(throws: PatternError.self) { try TopicPattern(String(repeating: "a", count: 20_000)) }
        #expect(throws: PatternError.self) { try TopicPattern("((a{1000}){1000}){1000}") }
        #expect(try matches("(((){1000}){1000}){1000}a", "a"))
        #expect(throws: PatternError.self) { try TopicPattern(String(repeating: "(", count: 8_000)) }
        let deep = String(repeating: "(", count: 150) + "a" + String(repeating: ")", count: 150)
        #expect(try matches(deep, "a"))
    }

    @Test(arguments: ["(a+)+b", "(a|a)*b", "(a*)*(a*)*(a*)*b", ".*.*.*.*.*.*.*b", "(a?){200}a{200}"])
    func `no expression takes more than the name's length times its own`(regex: String) throws {
        var steps = 1_000_000
        _ = try TopicPattern(regex).matches(among: [String(repeating: "a", count: 249)], steps: &steps)
        #expect(steps > 1_000_000 - 250 * 1_000)
    }

    @Test func `who has spent his steps gets no answer`() throws {
        var steps = 100
        let name = String(repeating: "a", count: 200)
        #expect(try TopicPattern("(a?){200}a{200}").matches(among: [name], steps: &steps) == nil)
    }

    @Test(arguments: 0..<50 as Range<UInt64>) func `no text at all traps the parser`(seed: UInt64) {
        var random = RandomSource(seed: seed)
        var accepted = 0
        for _ in 0..<200 {
            let text = String((0..<Int.random(in: 0...16, using: &random)).compactMap { _ in
                "()[]{}*+?|\\^$.,:-<>=!aPQEzdDxb019é".randomElement(using: &random)
            })
            guard let pattern = try? TopicPattern(text) else { continue }
            accepted += 1
            var steps = 100_000
            #expect(pattern.matches(among: ["", "a", "a-1", "(a)"], steps: &steps) != nil, "\(text)")
        }
        #expect(accepted > 0)
    }

    /// Swift's own engine says what is right. It goes back and tries again, so the expressions are small.
    @Test(arguments: 0..<100 as Range<UInt64>) func `random expressions match what Swift's Regex matches`(
        seed: UInt64
    ) throws {
        var random = RandomSource(seed: seed)
        for _ in 0..<10 {
            let text = Self.expression(depth: 3, &random)
            let pattern = try TopicPattern(text), reference = try Regex(text)
            for _ in 0..<20 {
                let name = String((0..<Int.random(in: 0...6, using: &random)).compactMap { _ in
                    "ab.-".randomElement(using: &random)
                })
                var steps = 1_000_000
                let expected = try reference.wholeMatch(in: name) != nil ? [name] : []
                #expect(pattern.matches(among: [name], steps: &steps) == expected, "\(text) and '\(name)'")
            }
        }
    }

    private static func expression(depth: Int, _ random: inout RandomSource) -> String {
        guard depth > 0 else {
            return ["a", "b", ".", #"\."#, "[ab]", "[^a]", #"\w"#, "-"].randomElement(using: &random) ?? "a"
        }
        let inner = expression(depth: depth - 1, &random)
        switch Int.random(in: 0..<7, using: &random) {
        case 0: return "(\(inner))*"
        case 1: return "(\(inner))?"
        case 2: return "(?:\(inner)){1,2}"
        case 3: return "(\(inner)|\(expression(depth: depth - 1, &random)))"
        case 4: return "(\(inner))+"
        default: return inner + expression(depth: depth - 1, &random)
        }
    }
}
