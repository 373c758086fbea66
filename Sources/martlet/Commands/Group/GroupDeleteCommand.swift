import ArgumentParser
import MartletClient

/// `martlet group delete`.
struct GroupDeleteCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete groups that have no members, with what they have committed.",
        discussion: """
            Example:
              martlet group delete billing
            """
    )

    @Argument(help: "The groups' names.")
    var names: [String]

    @OptionGroup var client: ClientOptions

    func execute() async throws {
        try await withAdmin(client) { admin in
            for name in names { try await admin.deleteGroup(name) }
        }
    }
}
