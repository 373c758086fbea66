import Foundation
import Testing

/// What the documents point at is there.
@Suite struct DocumentationTests {
    private struct Link {
        let document: String
        let line: Int
        let target: Substring
    }

    private static let links: [Link] = Repository.documents.flatMap { document in
        document.lines.enumerated().flatMap { number, line in
            line.matches(of: /\]\(([^)\s]+)\)/).map { match in
                Link(document: document.path, line: number + 1, target: match.1)
            }
        }
    }

    private static let own = links.filter { !$0.target.contains("://") && !$0.target.hasPrefix("mailto:") }

    /// The path of a link's file from the root; nil for a link within its document.
    private static func path(of link: Link) -> String {
        let file = link.target.prefix { $0 != "#" }
        let directory = URL(fileURLWithPath: "/" + link.document).deletingLastPathComponent()
        return file.isEmpty
            ? link.document : String(directory.appendingPathComponent(String(file)).standardized.path.dropFirst())
    }

    @Test func `there are documents, and they point at each other`() {
        #expect(Repository.documents.contains { $0.path == "docs/architecture.md" })
        #expect(Self.own.count > 10)
    }

    @Test func `every file that a document points at exists`() {
        for link in Self.own {
            let target = Repository.root.appendingPathComponent(Self.path(of: link)).path
            #expect(FileManager.default.fileExists(atPath: target), "\(link.document):\(link.line): \(link.target)")
        }
    }

    @Test func `every heading that a document points at exists`() {
        for link in Self.own where link.target.contains("#") && Self.path(of: link).hasSuffix(".md") {
            let headings = TextFile(Self.path(of: link)).lines.filter { $0.hasPrefix("#") }.map(Self.anchor)
            let wanted = link.target.drop { $0 != "#" }.dropFirst()
            #expect(headings.contains(String(wanted)), "\(link.document):\(link.line): \(link.target)")
        }
    }

    /// A heading's name as links spell it: lower case, hyphens for blanks, nothing else but letters and digits.
    private static func anchor(_ heading: Substring) -> String {
        let text = heading.drop { $0 == "#" }.drop { $0 == " " }.lowercased()
        return String(text.filter { $0.isLetter || $0.isNumber || " -_".contains($0) }.map { $0 == " " ? "-" : $0 })
    }

    @Test func `every document is pointed at from somewhere`() {
        let targets = Set(Self.own.map(Self.path(of:)))
        for document in Repository.documents where document.path != "README.md" {
            let directory = document.path.prefix { $0 != "/" } + "/"
            let isListed =
                targets.contains(document.path)
                || targets.contains { document.path.hasPrefix($0 + "/") && $0 + "/" != directory }
            #expect(isListed, "\(document.path)")
        }
    }
}
