import ArgumentParser
import KafkaWire
import MartletClient

/// `martlet topic create`.
struct TopicCreateCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Create a topic.",
        discussion: """
            Examples:
              martlet topic create orders
              martlet topic create orders --partitions 8 --config retention.ms=86400000
            """
    )

    @Argument(help: "The topic's name: letters, digits, '.', '_' and '-'.")
    var name: String

    @Option(name: .shortAndLong, help: "Number of partitions (default: the broker's).")
    var partitions: Int32?

    @Option(name: .shortAndLong, help: "Number of replicas of each partition (default: the broker's).")
    var replicas: Int16?

    @Option(name: .shortAndLong, help: "A setting of the topic, KEY=VALUE. May be repeated.")
    var config: [String] = []

    @Flag(help: "Do not fail if the topic exists already.")
    var ifNotExists = false

    @OptionGroup var client: ClientOptions

    func validate() throws {
        if let partitions, partitions < 1 { throw ValidationError("--partitions must be at least 1") }
        if let replicas, replicas < 1 { throw ValidationError("--replicas must be at least 1") }
        _ = try config.settings()
    }

    func execute() async throws {
        let topic = NewTopic(name, partitions: partitions, replicationFactor: replicas, configs: try config.settings())
        try await withAdmin(client) { admin in
            do {
                try await admin.createTopic(topic)
            } catch let error as KafkaClientError where ifNotExists && error.brokerError == .topicAlreadyExists {
                return
            }
        }
    }
}

extension [String] {
    /// The settings of options that are each KEY=VALUE.
    func settings() throws -> [String: String] {
        var settings: [String: String] = [:]
        for text in self {
            guard let (key, value) = text.splitPair() else {
                throw ValidationError("'\(text)' is no setting; write KEY=VALUE, as in retention.ms=86400000")
            }
            settings[key] = value
        }
        return settings
    }
}

extension String {
    /// The texts before and after the first "="; nil without one, or with nothing before it.
    func splitPair() -> (key: String, value: String)? {
        guard let equals = firstIndex(of: "="), equals != startIndex else { return nil }
        return (String(self[..<equals]), String(self[index(after: equals)...]))
    }
}
