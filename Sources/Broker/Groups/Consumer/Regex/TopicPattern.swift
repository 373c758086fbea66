/// A regular expression of RE2's syntax that a topic's whole name must match (KIP-848).
///
/// It is not Swift's `Regex`: that one goes back and tries again, so a client could stop the event loop for hours with
/// an expression like `(a+)+b`. Here all ways to match are followed at once (Thompson, 1968), in time proportional to
/// the name's length and the expression's.
///
/// What RE2 has and this has not: Unicode classes (`\p{Greek}`). Topic names are ASCII.
public struct TopicPattern: Sendable {
    /// Bytes of an expression.
    public static let lengthMax = 16_384
    /// Instructions of an expression, with its counted repetitions written out.
    static let instructionsMax = 32_768

    private enum Instruction {
        case character(ASCIISet)
        case assertion(PatternAssertion)
        case jump(Int)
        /// Goes on at both.
        case split(Int, Int)
        case match
    }

    private var program: [Instruction] = []

    /// - Throws: `PatternError`, if it is not an expression of RE2, or too large.
    public init(_ regex: String) throws(PatternError) {
        guard regex.utf8.count <= Self.lengthMax else {
            throw PatternError("longer than \(Self.lengthMax) bytes")
        }
        try emit(PatternParser.parse(regex))
        program.append(.match)
    }

    /// Those of the names that match as a whole.
    ///
    /// - Parameter steps: what may be spent; lowered by what was. A step is an instruction reached before a character.
    /// - Returns: nil when the steps did not suffice.
    public func matches(among names: some Sequence<String>, steps: inout Int) -> [String]? {
        var walk = Walk(program.count)
        var found: [String] = []
        for var name in names {
            name.withUTF8 { match($0, &walk, &steps) }
            guard steps > 0 else { return nil }
            if walk.isMatch { found.append(name) }
        }
        return found
    }

    private func match(_ name: UnsafeBufferPointer<UInt8>, _ walk: inout Walk, _ steps: inout Int) {
        walk.begin()
        follow(0, at: 0, in: name, &walk)
        for position in name.indices where !walk.states.isEmpty && steps > 0 {
            steps -= walk.visited
            let states = walk.states
            walk.begin()
            for state in states {
                guard case .character(let set) = program[state], set.contains(name[position]) else { continue }
                follow(state + 1, at: position + 1, in: name, &walk)
            }
        }
        steps -= walk.visited
    }

    /// The places reached before one character of a name.
    private struct Walk {
        /// Instructions that wait for a character.
        var states: [Int] = []
        var isMatch = false
        var visited = 0
        /// Instructions still to be followed; empty between calls.
        var pending: [Int] = []
        /// For each instruction the round in which it was reached last.
        var rounds: [Int]
        var round = 0

        init(_ count: Int) { rounds = [Int](repeating: 0, count: count) }

        mutating func begin() {
            states = []
            isMatch = false
            visited = 1
            round += 1
        }
    }

    /// Adds all that is reached from an instruction without a further character. What holds for a match is that it was
    /// reached at the end of the name.
    private func follow(
        _ start: Int, at position: Int, in name: UnsafeBufferPointer<UInt8>, _ walk: inout Walk
    ) {
        walk.pending.append(start)
        while let next = walk.pending.popLast() {
            guard walk.rounds[next] != walk.round else { continue }
            walk.rounds[next] = walk.round
            walk.visited += 1
            switch program[next] {
            case .character: walk.states.append(next)
            case .match: walk.isMatch = position == name.count
            case .jump(let target): walk.pending.append(target)
            case .split(let one, let other):
                walk.pending.append(one)
                walk.pending.append(other)
            case .assertion(let assertion):
                if Self.holds(assertion, at: position, in: name) { walk.pending.append(next + 1) }
            }
        }
    }

    private static func holds(
        _ assertion: PatternAssertion, at position: Int, in name: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        func isBoundary() -> Bool {
            let before = position > 0 && ASCIISet.word.contains(name[position - 1])
            let after = position < name.count && ASCIISet.word.contains(name[position])
            return before != after
        }
        switch assertion {
        case .begin: return position == 0
        case .end: return position == name.count
        case .wordBoundary: return isBoundary()
        case .noWordBoundary: return !isBoundary()
        }
    }

    // MARK: Compiling

    private mutating func append(_ instruction: Instruction) throws(PatternError) -> Int {
        guard program.count < Self.instructionsMax else {
            throw PatternError("too large: repetitions count as often as they repeat")
        }
        program.append(instruction)
        return program.count - 1
    }

    private mutating func emit(_ node: PatternNode) throws(PatternError) {
        switch node {
        case .character(let set): _ = try append(.character(set))
        case .assertion(let assertion): _ = try append(.assertion(assertion))
        case .sequence(let nodes): for node in nodes { try emit(node) }
        case .alternatives(let nodes): try emit(alternatives: nodes[...])
        case .repetition(let node, let min, let max):
            for _ in 0..<min {
                let before = program.count
                try emit(node)
                // What is nothing once is nothing a thousand times, and costs a thousand times as much.
                if program.count == before { break }
            }
            guard let max else { return try emit(star: node) }
            // Each further one may be the last: all of them leave to the same place.
            var splits: [Int] = []
            for _ in min..<max {
                splits.append(try append(.split(program.count + 1, 0)))
                try emit(node)
            }
            for split in splits { program[split] = .split(split + 1, program.count) }
        }
    }

    private mutating func emit(alternatives nodes: ArraySlice<PatternNode>) throws(PatternError) {
        var ends: [Int] = []
        for node in nodes.dropLast() {
            let split = try append(.split(0, 0))
            try emit(node)
            ends.append(try append(.jump(0)))
            program[split] = .split(split + 1, program.count)
        }
        if let last = nodes.last { try emit(last) }
        for end in ends { program[end] = .jump(program.count) }
    }

    private mutating func emit(star node: PatternNode) throws(PatternError) {
        let split = try append(.split(0, 0))
        try emit(node)
        _ = try append(.jump(split))
        program[split] = .split(split + 1, program.count)
    }
}
