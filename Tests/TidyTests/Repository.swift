import Foundation

/// The files of this repository, as the tests about its form see them.
enum Repository {
    /// The directory that holds `Package.swift`.
    static let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static let sources = swiftFiles(in: "Sources")
    static let tests = swiftFiles(in: "Tests")
    static let documents = files(in: "docs", withExtension: "md") + [TextFile("README.md")]

    /// The modules, by the names of their directories.
    static let modules = Set(sources.map(\.module))

    private static func swiftFiles(in directory: String) -> [SourceFile] {
        files(in: directory, withExtension: "swift").map { SourceFile($0) }
    }

    static func files(in directory: String, withExtension wanted: String) -> [TextFile] {
        let paths = FileManager.default.enumerator(atPath: root.appendingPathComponent(directory).path)
        return (paths?.compactMap { $0 as? String } ?? [])
            .filter { $0.hasSuffix("." + wanted) }
            .sorted()
            .map { TextFile("\(directory)/\($0)") }
    }
}

/// A file with its lines.
struct TextFile {
    /// From the root.
    let path: String
    let lines: [Substring]

    init(_ path: String) {
        self.path = path
        let content = try? String(contentsOf: Repository.root.appendingPathComponent(path), encoding: .utf8)
        lines = (content ?? "").split(separator: "\n", omittingEmptySubsequences: false)
    }
}

/// A Swift file. `code` is what the compiler sees: the lines without comments and without the text of strings.
struct SourceFile {
    let path: String
    let lines: [Substring]
    let code: [String]
    /// The directory below `Sources` or `Tests`.
    let module: String

    init(_ file: TextFile) {
        path = file.path
        lines = file.lines
        module = String(file.path.split(separator: "/")[1])
        var stripper = CodeStripper()
        code = file.lines.map { stripper.strip($0) }
    }

    /// The lines of code that contain `text`, as places for a message.
    func places(of text: String) -> [String] {
        code.enumerated().filter { $1.contains(text) }.map { "\(path):\($0.offset + 1)" }
    }

    /// The modules that the file imports.
    var imports: [String] {
        code.compactMap { line in
            let words = line.split(separator: " ").filter { !$0.hasPrefix("@") }
            return words.first == "import" ? words.last.map { String($0.prefix { $0 != "." }) } : nil
        }
    }
}

/// Takes comments and the text of strings out of Swift, line by line.
struct CodeStripper {
    private enum State {
        case code, blockComment, multilineString
    }

    private var state = State.code

    mutating func strip(_ line: Substring) -> String {
        // Most lines have neither.
        if case .code = state, !line.utf8.contains(UInt8(ascii: "\"")), !line.utf8.contains(UInt8(ascii: "/")) {
            return String(line)
        }
        var result = ""
        var rest = line
        while !rest.isEmpty {
            switch state {
            case .blockComment: skip(&rest, through: "*/")
            case .multilineString: skip(&rest, through: "\"\"\"")
            case .code:
                if rest.hasPrefix("//") { return result }
                if rest.hasPrefix("/*") {
                    state = .blockComment
                } else if rest.hasPrefix("\"\"\"") {
                    state = .multilineString
                    rest.removeFirst(3)
                } else if rest.hasPrefix("\"") {
                    skipString(&rest)
                    result += "\"\""
                } else {
                    result.append(rest.removeFirst())
                }
            }
        }
        return result
    }

    private mutating func skip(_ rest: inout Substring, through end: String) {
        guard let found = rest.range(of: end) else {
            rest = ""
            return
        }
        rest = rest[found.upperBound...]
        state = .code
    }

    /// A string of one line, with what is interpolated into it.
    private func skipString(_ rest: inout Substring) {
        rest.removeFirst()
        var depth = 0
        while let character = rest.popFirst() {
            if character == "\\" {
                if rest.first == "(" { depth += 1 }
                rest = rest.dropFirst()
            } else if depth > 0 {
                if character == "(" { depth += 1 }
                if character == ")" { depth -= 1 }
            } else if character == "\"" {
                return
            }
        }
    }
}
