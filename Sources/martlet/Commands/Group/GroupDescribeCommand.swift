import ArgumentParser
import MartletClient

/// `martlet group describe`.
struct GroupDescribeCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe",
        abstract: "Show a group's state, how far it has come in each partition, its members, and who holds it up.",
        discussion: """
            Examples:
              martlet group describe billing
              martlet group describe billing --json
            """
    )

    @Argument(help: "The group's name.")
    var name: String

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup var client: ClientOptions

    func execute() async throws {
        let report = try await withAdmin(client) { admin in try await GroupReport(name, admin) }
        print(json ? try JSONOutput.line(report) : report.text)
    }
}
