import ArgumentParser
import KafkaWire
import MartletClient

/// A command that talks to a cluster.
protocol ClientCommand: AsyncParsableCommand, Sendable {
    func execute() async throws
}

extension ClientCommand {
    /// Leaves the main actor, whose executor is slow to resume, and says of errors what to do next.
    func run() async throws {
        do {
            try await Task.detached { try await execute() }.value
        } catch let error as KafkaClientError {
            throw CommandFailure(error)
        }
    }

    /// Lets `body` use an admin client, and closes it afterwards.
    func withAdmin<Result: Sendable>(
        _ options: ClientOptions, _ body: (Admin) async throws -> Result
    ) async throws -> Result {
        let admin = Admin(try options.client())
        do {
            let result = try await body(admin)
            await admin.close()
            return result
        } catch {
            await admin.close()
            throw error
        }
    }
}

/// An error for people: what went wrong, and what to do next.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String

    init(_ message: String, advice: String? = nil) {
        description = advice.map { "\(message)\n\($0)" } ?? message
    }

    init(_ error: KafkaClientError) {
        self.init(error.message, advice: Self.advice(for: error))
    }

    private static func advice(for error: KafkaClientError) -> String? {
        switch error.code {
        case .connectionFailed:
            return "Is a broker running there? Start one with 'martlet serve', or name another with --bootstrap."
        case .connectionClosed, .requestTimedOut:
            return "See which brokers are up with 'martlet cluster status'."
        case .deliveryTimedOut:
            return "See whether the partition has a leader with 'martlet cluster status'; --timeout waits longer."
        case .unknownTopic:
            return "See what there is with 'martlet topic list', or create it with 'martlet topic create NAME'."
        case .unknownPartition:
            return "See its partitions with 'martlet topic describe NAME'."
        case .unsupportedVersion:
            return "The broker is too old for this command, or does not have this feature."
        default:
            break
        }
        switch error.brokerError {
        case ErrorCode.topicAlreadyExists: return "See it with 'martlet topic describe NAME', or choose another name."
        case ErrorCode.invalidReplicationFactor:
            return "A topic cannot have more replicas than the cluster has brokers: see 'martlet cluster status'."
        case ErrorCode.invalidPartitions:
            return "A topic only grows: see how many it has with 'martlet topic describe NAME'."
        case ErrorCode.groupIDNotFound: return "See what groups there are with 'martlet group list'."
        case ErrorCode.nonEmptyGroup, ErrorCode.unknownMemberID:
            return "Stop its consumers first; see them with 'martlet group describe NAME'."
        case ErrorCode.messageTooLarge: return "Send smaller records, or raise the topic's max.message.bytes."
        case ErrorCode.offsetOutOfRange: return "Start within the log: --from beginning, or --from end."
        default: return nil
        }
    }
}
