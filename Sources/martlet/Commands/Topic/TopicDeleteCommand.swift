import ArgumentParser
import MartletClient

/// `martlet topic delete`.
struct TopicDeleteCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete topics and all their records.",
        discussion: """
            Example:
              martlet topic delete orders
            """
    )

    @Argument(help: "The topics' names.")
    var names: [String]

    @OptionGroup var client: ClientOptions

    func execute() async throws {
        try await withAdmin(client) { admin in
            for name in names { try await admin.deleteTopic(name) }
        }
    }
}
