import ArgumentParser
import MartletClient

/// `martlet group list`.
struct GroupListCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the groups.",
        discussion: """
            Examples:
              martlet group list
              martlet group list --json
            """
    )

    @Flag(help: "Print one JSON object a line.")
    var json = false

    @OptionGroup var client: ClientOptions

    private struct Line: Encodable {
        var group: String
        var type: String?
        var state: String
        var coordinator: Int32
    }

    func execute() async throws {
        let groups = try await withAdmin(client) { try await $0.listGroups() }
        guard !json else {
            for group in groups {
                let line = Line(
                    group: group.id, type: group.type?.rawValue, state: group.state, coordinator: group.coordinator)
                print(try JSONOutput.line(line))
            }
            return
        }
        var table = Table([("GROUP", .left), ("TYPE", .left), ("STATE", .left), ("COORDINATOR", .right)])
        for group in groups {
            table.add([group.id, group.type?.rawValue ?? "-", group.state, "\(group.coordinator)"])
        }
        print(table.description)
    }
}
