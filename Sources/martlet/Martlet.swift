import ArgumentParser

@main
struct Martlet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet",
        abstract: "A replicated log-queue message broker.",
        subcommands: [
            ServeCommand.self,
            DemoCommand.self,
            TopicCommand.self,
            GroupCommand.self,
            ProduceCommand.self,
            ConsumeCommand.self,
            ClusterCommand.self,
            LogCommand.self,
            BenchCommand.self,
        ]
    )
}
