import ArgumentParser
import Basics
import Logging
import Networking
import SegmentLog
import ServiceLifecycle
import UnixSignals

/// `martlet serve`: one broker.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run a broker.",
        discussion: """
            Without options: a cluster of one broker, data in ./martlet-data, Kafka clients on 127.0.0.1:9092.

            Every option can also be given as an environment variable (MARTLET_NODE_ID for --node-id) or as a key \
            ("node-id") in the JSON file named by --config. An option beats the environment, which beats the file.

            A cluster of three, each broker with its own --node-id, --data-dir, --listen and --peer-listen:

              martlet serve --node-id 1 --data-dir n1 --listen 127.0.0.1:9092 --peer-listen 127.0.0.1:9192 \\
                --cluster 1=127.0.0.1:9192,2=127.0.0.1:9193,3=127.0.0.1:9194
            """
    )

    @OptionGroup var options: ServeOptions

    func run() async throws {
        // The main actor's executor is slow to resume; nothing of the server runs on it.
        try await Task.detached { [options] in
            let configuration = try await options.resolve()
            try await ServerService(configuration: configuration, logger: options.logger()).runUntilSignal()
        }.value
    }
}

/// A server as a service that ends gracefully on SIGTERM and SIGINT.
struct ServerService: Service {
    let configuration: ServerConfiguration
    let logger: Logger

    func runUntilSignal() async throws {
        var group = ServiceGroupConfiguration(
            services: [self], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        group.maximumGracefulShutdownDuration = .seconds(30)
        try await ServiceGroup(configuration: group).run()
    }

    func run() async throws {
        let server = try await Server.start(configuration, logger: logger)
        announce(server)
        do {
            try await withGracefulShutdownHandler {
                try await server.waitForFailure()
            } onGracefulShutdown: {
                server.requestStop()
            }
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
        logger.notice("stopped")
    }

    private func announce(_ server: Server) {
        var metadata: Logger.Metadata = ["kafka": "\(server.kafkaAddress)", "data": "\(configuration.dataDirectory)"]
        if configuration.cluster.count > 1 { metadata["peers"] = "\(configuration.peerListen)" }
        logger.notice("ready", metadata: metadata)
        if configuration.durability == .page {
            logger.warning(
                "DURABILITY IS page: acknowledged records may be lost when the machine fails. For comparisons only")
        }
        let bounds = server.bounds.map { "\($0.name) \($0.value)" }.joined(separator: ", ")
        logger.info("memory bounds", metadata: ["bounds": "\(bounds)"])
    }
}
