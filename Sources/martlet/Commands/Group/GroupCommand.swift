import ArgumentParser

/// `martlet group`: who reads what together, and how far.
struct GroupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "group",
        abstract: "List, describe, reset and delete consumer groups.",
        subcommands: [
            GroupListCommand.self, GroupDescribeCommand.self, GroupResetOffsetsCommand.self, GroupDeleteCommand.self,
        ]
    )
}
