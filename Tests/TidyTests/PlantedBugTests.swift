import Testing

/// The bugs that the simulator must find (docs/internals/testing.md) are patches: they must keep up with the code.
@Suite struct PlantedBugTests {
    @Test func everyPlantedBugStillFitsTheCode() {
        var contents: [String: String] = [:]
        let patches = Repository.files(in: "Tests/PlantedBugs", withExtension: "patch")
        #expect(patches.count >= 25)
        for patch in patches {
            for hunk in Hunk.all(in: patch) {
                let content = contents[hunk.path] ?? TextFile(hunk.path).lines.joined(separator: "\n")
                let places = content.ranges(of: hunk.before)
                #expect(places.count == 1, "\(patch.path): \(hunk.path) has \(places.count) times:\n\(hunk.before)")
                contents[hunk.path] = content.replacing(hunk.before, with: hunk.after)
            }
        }
    }

    @Test func everyPlantedBugIsInTheTable() {
        let table = TextFile("docs/internals/testing.md").lines.joined(separator: "\n")
        for patch in Repository.files(in: "Tests/PlantedBugs", withExtension: "patch") {
            let name = patch.path.split(separator: "/").last?.dropFirst(3).dropLast(".patch".count) ?? ""
            #expect(table.contains("`\(name)`"), "\(name)")
        }
    }
}

/// One change of a patch, with its context.
private struct Hunk {
    let path: String
    var before = ""
    var after = ""

    static func all(in patch: TextFile) -> [Hunk] {
        var hunks: [Hunk] = []
        var path = ""
        for line in patch.lines {
            if line.hasPrefix("+++ b/") {
                path = String(line.dropFirst("+++ b/".count))
            } else if line.hasPrefix("@@") {
                hunks.append(Hunk(path: path))
            } else if !hunks.isEmpty, !line.hasPrefix("---"), let kind = line.first {
                let text = line.dropFirst() + "\n"
                if kind != "+" { hunks[hunks.count - 1].before += text }
                if kind != "-" { hunks[hunks.count - 1].after += text }
            }
        }
        return hunks
    }
}
