import ArgumentParser
import Foundation
import MartletClient

/// Where the cluster is: the options of every command that is a client.
struct ClientOptions: ParsableArguments, Sendable {
    @Option(
        name: [.customShort("b"), .long],
        help: "Brokers to connect to, HOST:PORT, separated by commas (default: $MARTLET_BOOTSTRAP or 127.0.0.1:9092).")
    var bootstrap: String?

    @Option(help: "Seconds to go on trying while the cluster cannot be reached or has no leader.")
    var timeout = 10.0

    func validate() throws {
        guard timeout > 0, timeout <= 86_400 else { throw ValidationError("--timeout must be between 0 and 86400") }
        _ = try servers(ProcessInfo.processInfo.environment)
    }

    /// - Parameter environment: where `MARTLET_BOOTSTRAP` may stand.
    func servers(_ environment: [String: String]) throws -> [BrokerAddress] {
        let text = bootstrap ?? environment["MARTLET_BOOTSTRAP"] ?? "127.0.0.1:9092"
        guard let servers = BrokerAddress.list(text) else {
            throw ValidationError("'\(text)' is no list of addresses; write HOST:PORT, as in 127.0.0.1:9092")
        }
        return servers
    }

    func client() throws -> KafkaClientConfiguration {
        let servers = try servers(ProcessInfo.processInfo.environment)
        var client = KafkaClientConfiguration(bootstrapServers: servers)
        client.clientID = "martlet-cli"
        client.connectTimeout = .seconds(min(timeout, 5))
        client.operationTimeout = .seconds(timeout)
        return client
    }
}
