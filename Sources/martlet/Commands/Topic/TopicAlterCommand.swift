import ArgumentParser
import MartletClient

/// `martlet topic alter`.
struct TopicAlterCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "alter",
        abstract: "Change a topic's settings, or give it more partitions.",
        discussion: """
            Settings that are not named stay as they are. A topic cannot lose partitions; more of them send the records
            of a key elsewhere from then on.

            Examples:
              martlet topic alter orders --config max.message.bytes=2000000
              martlet topic alter orders --delete-config retention.ms --partitions 16
            """
    )

    @Argument(help: "The topic's name.")
    var name: String

    @Option(name: .shortAndLong, help: "A setting, KEY=VALUE. May be repeated.")
    var config: [String] = []

    @Option(help: "A setting that goes back to its default. May be repeated.")
    var deleteConfig: [String] = []

    @Option(name: .shortAndLong, help: "How many partitions the topic shall have.")
    var partitions: Int32?

    @Flag(help: "Only find out whether the settings can be had.")
    var validateOnly = false

    @OptionGroup var client: ClientOptions

    func validate() throws {
        if let partitions, partitions < 1 { throw ValidationError("--partitions must be at least 1") }
        let values = try config.settings()
        if values.isEmpty && deleteConfig.isEmpty && partitions == nil {
            throw ValidationError("say what to change: --config KEY=VALUE, --delete-config KEY or --partitions N")
        }
        if let both = deleteConfig.first(where: { values[$0] != nil }) {
            throw ValidationError("\(both) is both set and deleted")
        }
        if validateOnly && partitions != nil { throw ValidationError("--validate-only is for settings") }
    }

    func execute() async throws {
        let values = try config.settings()
        try await withAdmin(client) { admin in
            if !values.isEmpty || !deleteConfig.isEmpty {
                try await admin.alterConfigs(
                    ofTopic: name, setting: values, removing: deleteConfig, validateOnly: validateOnly)
            }
            if let partitions { try await admin.createPartitions(of: name, count: partitions) }
        }
    }
}
