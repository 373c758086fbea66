import ArgumentParser
import MartletClient

/// `martlet topic list`.
struct TopicListCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the topics, one a line.",
        discussion: """
            Examples:
              martlet topic list
              martlet topic list --json
            """
    )

    @Flag(help: "Print one JSON object a line: name, id, number of partitions.")
    var json = false

    @Flag(help: "List the cluster's internal topics too.")
    var `internal` = false

    @OptionGroup var client: ClientOptions

    private struct Line: Encodable {
        var name: String
        var id: String
        var partitions: Int
    }

    func execute() async throws {
        let topics = try await withAdmin(client) { try await $0.listTopics() }
        for topic in topics where `internal` || !topic.isInternal {
            let line = Line(name: topic.name, id: "\(topic.id)", partitions: topic.partitions.count)
            print(json ? try JSONOutput.line(line) : topic.name)
        }
    }
}
