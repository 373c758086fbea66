import Basics
import Foundation

/// A script of interaction: comments (`#`), commands (`>`) and, indented beneath each command, the complete trace of
/// what it made the cluster do.
struct Script {
    enum Line {
        /// A comment or an empty line, kept as it is.
        case text(String)
        case command(String)
    }

    let name: String
    let url: URL
    let source: String

    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Scripts")

    /// The names of all scripts, for a parameterised test.
    static let names: [String] = {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".script") }.map { String($0.dropLast(7)) }.sorted()
    }()

    init(named name: String) throws {
        self.name = name
        url = Self.folder.appending(path: name + ".script")
        source = try String(contentsOf: url, encoding: .utf8)
    }

    var lines: [Line] {
        source.split(separator: "\n", omittingEmptySubsequences: false).compactMap { line in
            if line.hasPrefix("> ") { return .command(String(line.dropFirst(2))) }
            return line.hasPrefix("  ") ? nil : .text(String(line))
        }
    }

    /// Runs the commands against a fresh cluster, and returns the script with the trace as it is now.
    func replayed() throws -> String {
        var interpreter = ScriptInterpreter()
        var output: [String] = []
        for line in lines {
            switch line {
            case .text(let text): output.append(text)
            case .command(let command):
                output.append("> " + command)
                output += try interpreter.run(command).map { "  " + $0 }
            }
        }
        return output.joined(separator: "\n")
    }
}
