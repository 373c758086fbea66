import Foundation
import Testing

/// Golden interaction scripts. `UPDATE_GOLDEN=1 swift test` rewrites the traces; read the difference before committing.
@Suite struct ScriptTests {
    @Test("the script's commands lead to the trace that is written beneath them", arguments: Script.names)
    func replay(name: String) throws {
        let script = try Script(named: name)
        let replayed = try script.replayed()
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
            try replayed.write(to: script.url, atomically: true, encoding: .utf8)
        }
        #expect(!replayed.contains("VIOLATION"))
        let difference = zip(script.source.split(separator: "\n"), replayed.split(separator: "\n")).first { $0 != $1 }
        #expect(difference == nil, "first difference in \(name).script")
        #expect(replayed.count == script.source.count || difference != nil, "\(name).script is longer or shorter")
    }

    @Test("every script begins by saying its situation")
    func firstLineIsComment() throws {
        #expect(Script.names.count >= 16)
        for name in Script.names {
            let source = try Script(named: name).source
            #expect(source.hasPrefix("# "), "\(name).script")
        }
    }
}
