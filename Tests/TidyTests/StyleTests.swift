import Testing

/// Rules that a reader would otherwise have to check.
@Suite struct StyleTests {
    private static let columnsMax = 120
    private static let fileLinesMax = 600
    private static let fileLinesWanted = 400
    private static let functionLinesMax = 60

    private static let all = Repository.sources + Repository.tests
    /// Modules that others build on: they print nothing and decide nothing about the process.
    private static let programs: Set<String> = ["martlet", "MartletSim", "RaftCounter"]
    private static let libraries = Repository.sources.filter { !programs.contains($0.module) }

    private func expectNone(_ text: String, in files: [SourceFile], because reason: Comment) {
        let places = files.flatMap { $0.places(of: text) }
        #expect(places == [], reason)
    }

    @Test func `no file reads the clock by Foundation but those of the command line`() {
        expectNone("Date()", in: Self.all.filter { $0.module != "martlet" }, because: "time is passed in")
    }

    @Test(arguments: ["try!", "as!", "fatalError("]) func `nothing traps on what it did not foresee`(call: String) {
        expectNone(call, in: Self.all, because: "a typed error, or invariant() for programming errors")
    }

    @Test func `no test and no part of the broker sleeps`() {
        // A client waits between its tries; it has no loop of its own.
        let files = Self.libraries.filter { $0.module != "MartletClient" } + Repository.tests
        for call in ["Task.sleep", " sleep(", "usleep(", "nanosleep("] {
            expectNone(call, in: files, because: "what waits is woken; tests let time pass themselves")
        }
    }

    @Test func `libraries print nothing`() {
        for call in [" print(", " debugPrint("] {
            expectNone(call, in: Self.libraries, because: "they return values, or log")
        }
    }

    @Test(arguments: ["@unchecked Sendable", "nonisolated(unsafe)"])
    func `who tells the compiler to trust it says why it may`(promise: String) {
        for file in Self.all {
            for (number, line) in file.code.enumerated() where line.contains(promise) {
                // The comment above, attributes in between.
                let above = file.lines[..<number].reversed()
                    .drop { $0.drop(while: \.isWhitespace).hasPrefix("@") }
                    .prefix { $0.drop(while: \.isWhitespace).hasPrefix("///") }
                #expect(above.contains { $0.contains("`\(promise)`") }, "\(file.path):\(number + 1)")
            }
        }
    }

    @Test func `files are short`() {
        let long = Self.all.filter { $0.lines.count > Self.fileLinesMax }
        #expect(long.map { "\($0.path): \($0.lines.count)" } == [])
        for file in Self.all where file.lines.count > Self.fileLinesWanted {
            print("\(file.path) has \(file.lines.count) lines, \(Self.fileLinesWanted) are wanted")
        }
    }

    @Test func `functions are short`() {
        for file in Repository.sources {
            for (start, line) in file.code.enumerated() where line.contains("func ") || line.contains("init(") {
                // It ends at the first brace that stands where its first line begins.
                let indent = line.prefix { $0 == " " }
                guard line.hasSuffix("{") || line.hasSuffix("("),
                    let end = file.code[start...].firstIndex(where: { $0 == indent + "}" })
                else { continue }
                #expect(end - start < Self.functionLinesMax, "\(file.path):\(start + 1)")
            }
        }
    }

    @Test func `lines fit 120 columns`() {
        let long = Self.all.flatMap { file in
            file.lines.enumerated().filter { $1.count > Self.columnsMax }.map { "\(file.path):\($0.offset + 1)" }
        }
        #expect(long == [])
    }

    @Test func `no tab, and no blank at the end of a line`() {
        let texts = Self.all.map { ($0.path, $0.lines) } + Repository.documents.map { ($0.path, $0.lines) }
        for (path, lines) in texts {
            for (number, line) in lines.enumerated() {
                #expect(!line.contains("\t") && line.last != " ", "\(path):\(number + 1)")
            }
        }
    }

    @Test func `files end with one line break`() {
        for file in Self.all {
            #expect(file.lines.last == "" && file.lines.dropLast().last != "", "\(file.path)")
        }
    }

    @Test func `nothing is left to do`() {
        // Spelled so that this file passes.
        for mark in ["TO" + "DO", "FIX" + "ME", "XX" + "X:"] {
            for file in Self.all {
                let places = file.lines.enumerated().filter { $1.contains(mark) }.map {
                    "\(file.path):\($0.offset + 1)"
                }
                #expect(places == [])
            }
        }
    }
}

@Suite struct CodeStripperTests {
    private func strip(_ lines: String...) -> [String] {
        var stripper = CodeStripper()
        return lines.map { stripper.strip($0[...]) }
    }

    @Test func `comments and the text of strings are taken out, code stays`() {
        #expect(strip("let a = 1 // try! this") == ["let a = 1 "])
        #expect(strip("f(\"try! \\(x(\"y\")) // no\", 2)") == ["f(\"\", 2)"])
        #expect(strip("a /* one", "two */ b") == ["a ", " b"])
        #expect(strip("a(\"\"\"", "print(", "\"\"\")") == ["a(", "", ")"])
        #expect(strip("\"\\\"\" + as!") == ["\"\" + as!"])
    }
}
