import ArgumentParser

/// `martlet topic`: what topics there are.
struct TopicCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topic",
        abstract: "Create, list, describe, change and delete topics.",
        subcommands: [
            TopicCreateCommand.self, TopicListCommand.self, TopicDescribeCommand.self, TopicAlterCommand.self,
            TopicDeleteCommand.self,
        ]
    )
}
