/// Reads RE2's syntax (https://github.com/google/re2/wiki/Syntax).
///
/// Groups nest to a bound, so that no expression exhausts the stack.
struct PatternParser {
    private static let nestingMax = 200
    /// RE2's own bound of counted repetitions.
    private static let countMax = 1_000

    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var ignoresCase = false
    private var nesting = 0

    static func parse(_ regex: String) throws(PatternError) -> PatternNode {
        var parser = PatternParser(regex)
        let node = try parser.alternatives()
        guard parser.position == parser.scalars.count else { throw PatternError("')' without '('") }
        return node
    }

    private init(_ regex: String) { scalars = Array(regex.unicodeScalars) }

    private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private mutating func take(_ text: String) -> Bool {
        let wanted = Array(text.unicodeScalars)
        guard scalars[position...].starts(with: wanted) else { return false }
        position += wanted.count
        return true
    }

    private mutating func takeNext(_ what: String) throws(PatternError) -> Unicode.Scalar {
        guard let next else { throw PatternError("ends where \(what) is expected") }
        position += 1
        return next
    }

    // MARK: Structure

    private mutating func alternatives() throws(PatternError) -> PatternNode {
        var found = [try sequence()]
        while take("|") { found.append(try sequence()) }
        return found.count == 1 ? found[0] : .alternatives(found)
    }

    private mutating func sequence() throws(PatternError) -> PatternNode {
        var nodes: [PatternNode] = []
        while let next, next != "|", next != ")" {
            if take("\\Q") {
                nodes += quotation()
            } else if let node = try atom() {
                nodes.append(node)
            } else {
                continue
            }
            if let last = nodes.popLast() { nodes.append(try repeated(last)) }
        }
        return .sequence(nodes)
    }

    /// What stands between `\Q` and `\E`.
    private mutating func quotation() -> [PatternNode] {
        var nodes: [PatternNode] = []
        while let next, !take("\\E") {
            nodes.append(literal(next))
            position += 1
        }
        return nodes
    }

    /// The repetition that follows `node`, if one does. Two in a row are an error, as in RE2.
    private mutating func repeated(_ node: PatternNode) throws(PatternError) -> PatternNode {
        guard let (min, max) = try bounds() else { return node }
        _ = take("?")
        if try bounds() != nil { throw PatternError("a repetition of a repetition: put the inner one in parentheses") }
        return .repetition(node, min: min, max: max)
    }

    private mutating func bounds() throws(PatternError) -> (min: Int, max: Int?)? {
        if take("*") { return (0, nil) }
        if take("+") { return (1, nil) }
        if take("?") { return (0, 1) }
        // What is no count is a brace like any other character.
        let start = position
        guard take("{"), let min = number() else { return reset(to: start) }
        var max: Int? = min
        if take(",") { max = number() }
        guard take("}") else { return reset(to: start) }
        guard min <= Self.countMax, max ?? min <= Self.countMax, min <= max ?? min else {
            throw PatternError("a repetition out of bounds: \(Self.countMax) is the most")
        }
        return (min, max)
    }

    private mutating func reset(to start: Int) -> (min: Int, max: Int?)? {
        position = start
        return nil
    }

    private mutating func number() -> Int? {
        var value: Int?
        while let digit = next, ("0"..."9").contains(digit) {
            value = min((value ?? 0) * 10 + Int(digit.value - 48), Self.countMax + 1)
            position += 1
        }
        return value
    }

    // MARK: Atoms

    /// One thing that may be repeated; nil where there was only a change of flags.
    private mutating func atom() throws(PatternError) -> PatternNode? {
        let scalar = try takeNext("an expression")
        switch scalar {
        case "(": return try group()
        case "[": return .character(try characterClass())
        case ".": return .character(.all)
        case "^": return .assertion(.begin)
        case "$": return .assertion(.end)
        case "*", "+", "?": throw PatternError("nothing stands before '\(scalar)'")
        case "\\": return try escape()
        default: return literal(scalar)
        }
    }

    private func literal(_ scalar: Unicode.Scalar) -> PatternNode { .character(folded(ASCIISet(scalar...scalar))) }

    private func folded(_ set: ASCIISet) -> ASCIISet { ignoresCase ? set.withBothCases : set }

    private mutating func group() throws(PatternError) -> PatternNode? {
        let ignoredCase = ignoresCase
        if take("?P<") || take("?<") {
            try groupName()
        } else if take("?") {
            if try flags() == ")" { return nil }
        }
        nesting += 1
        guard nesting <= Self.nestingMax else {
            throw PatternError("groups nested more than \(Self.nestingMax) deep")
        }
        let node = try alternatives()
        guard take(")") else { throw PatternError("'(' without ')'") }
        nesting -= 1
        ignoresCase = ignoredCase
        return node
    }

    private mutating func groupName() throws(PatternError) {
        var length = 0
        while true {
            let scalar = try takeNext("the name of a group")
            if scalar == ">", length > 0 { return }
            guard scalar.value < 128, ASCIISet.word.contains(UInt8(scalar.value)) else {
                throw PatternError("a group's name has letters, digits and '_'")
            }
            length += 1
        }
    }

    /// Flags up to ':' or ')', which is returned. All but `i` are about line breaks and about which match to prefer.
    private mutating func flags() throws(PatternError) -> Unicode.Scalar {
        var isOn = true
        while true {
            let scalar = try takeNext("a flag")
            switch scalar {
            case "i": ignoresCase = isOn
            case "m", "s", "U": break
            case "-" where isOn: isOn = false
            case ":", ")": return scalar
            default: throw PatternError("'(?\(scalar)' is no group and no flag of RE2")
            }
        }
    }

    // MARK: Escapes

    private mutating func escape() throws(PatternError) -> PatternNode {
        switch next {
        case "A": return assertion(.begin)
        case "z": return assertion(.end)
        case "b": return assertion(.wordBoundary)
        case "B": return assertion(.noWordBoundary)
        case "C":
            position += 1
            return .character(.all)
        default:
            if let set = escapedClass() { return .character(folded(set)) }
            return literal(try escapedScalar())
        }
    }

    private mutating func assertion(_ assertion: PatternAssertion) -> PatternNode {
        position += 1
        return .assertion(assertion)
    }

    /// A Perl class behind a backslash.
    private mutating func escapedClass() -> ASCIISet? {
        let set: ASCIISet
        switch next {
        case "d": set = .digits
        case "D": set = ASCIISet.digits.inverted
        case "s": set = .space
        case "S": set = ASCIISet.space.inverted
        case "w": set = .word
        case "W": set = ASCIISet.word.inverted
        default: return nil
        }
        position += 1
        return set
    }

    private mutating func escapedScalar() throws(PatternError) -> Unicode.Scalar {
        let scalar = try takeNext("what '\\' escapes")
        switch scalar {
        case "a": return "\u{07}"
        case "f": return "\u{0C}"
        case "t": return "\t"
        case "n": return "\n"
        case "r": return "\r"
        case "v": return "\u{0B}"
        case "x": return try hexadecimal()
        case "0"..."7":
            let digits = octalDigits(after: scalar)
            // A single digit other than 0 would be a reference to a group, which RE2 has not.
            if digits.count > 1 || scalar == "0" { return try Self.scalar(digits, radix: 8) }
            throw PatternError("'\\\(scalar)' refers to a group: RE2 has no such references")
        default:
            let isPunctuation = scalar.value < 128 && !ASCIISet.word.contains(UInt8(scalar.value)) || scalar == "_"
            guard isPunctuation else { throw PatternError("'\\\(scalar)' is no escape known here") }
            return scalar
        }
    }

    private mutating func octalDigits(after first: Unicode.Scalar) -> String {
        var digits = String(first)
        while digits.count < 3, let digit = next, ("0"..."7").contains(digit) {
            digits.unicodeScalars.append(digit)
            position += 1
        }
        return digits
    }

    private mutating func hexadecimal() throws(PatternError) -> Unicode.Scalar {
        var digits = ""
        if take("{") {
            while !take("}") { digits.unicodeScalars.append(try takeNext("'}'")) }
        } else {
            for _ in 0..<2 { digits.unicodeScalars.append(try takeNext("a hexadecimal digit")) }
        }
        return try Self.scalar(digits, radix: 16)
    }

    private static func scalar(_ digits: String, radix: Int) throws(PatternError) -> Unicode.Scalar {
        guard digits.first?.isHexDigit == true, let value = UInt32(digits, radix: radix),
            let scalar = Unicode.Scalar(value)
        else { throw PatternError("'\(digits)' is no character") }
        return scalar
    }

    // MARK: Classes

    /// What follows '['.
    private mutating func characterClass() throws(PatternError) -> ASCIISet {
        let isInverted = take("^")
        var set = ASCIISet.none
        var isFirst = true
        while isFirst || !take("]") {
            isFirst = false
            set = set.union(try classElement())
        }
        set = folded(set)
        return isInverted ? set.inverted : set
    }

    private mutating func classElement() throws(PatternError) -> ASCIISet {
        if let named = try namedClass() { return named }
        if next == "\\" {
            position += 1
            if let set = escapedClass() { return set }
            position -= 1
        }
        let first = try classScalar()
        // A '-' before the end stands for itself.
        guard next == "-", position + 1 < scalars.count, scalars[position + 1] != "]" else {
            return ASCIISet(first...first)
        }
        position += 1
        let last = try classScalar()
        guard first <= last else { throw PatternError("'\(first)-\(last)' is no range") }
        return ASCIISet(first...last)
    }

    private mutating func classScalar() throws(PatternError) -> Unicode.Scalar {
        let scalar = try takeNext("']'")
        return scalar == "\\" ? try escapedScalar() : scalar
    }

    /// POSIX's `[:alpha:]` and `[:^alpha:]`.
    private mutating func namedClass() throws(PatternError) -> ASCIISet? {
        let start = position
        guard take("[:") else { return nil }
        let isInverted = take("^")
        var name = ""
        while let next, next != ":", next != "]" {
            name.unicodeScalars.append(next)
            position += 1
        }
        guard take(":]") else {
            position = start
            return nil
        }
        guard let set = ASCIISet.named[name] else { throw PatternError("'[:\(name):]' is no class") }
        return isInverted ? set.inverted : set
    }
}
