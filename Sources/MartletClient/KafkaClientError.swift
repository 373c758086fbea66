import KafkaWire

/// Why an operation of the client failed. The only error its API throws, apart from `CancellationError`.
public struct KafkaClientError: Error, Hashable, Sendable {
    /// The kind of failure. More kinds may come; treat one you do not know as final.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Value: String {
            case connectionFailed, connectionClosed, requestTimedOut, deliveryTimedOut, unsupportedVersion
            case invalidResponse, broker, unknownTopic, unknownPartition, recordTooLarge, invalidArgument
            case compressionFailed, closed, cancelled
        }

        private let value: Value

        /// No connection could be opened; nothing was sent.
        public static let connectionFailed = Code(value: .connectionFailed)
        /// The connection closed before the answer came: the request may have been carried out or not.
        public static let connectionClosed = Code(value: .connectionClosed)
        /// The answer did not come in time: the request may have been carried out or not.
        public static let requestTimedOut = Code(value: .requestTimedOut)
        /// A record could not be delivered within the producer's delivery timeout. It may have been stored or not,
        /// if ``KafkaClientError/mayHaveBeenStored`` says so.
        public static let deliveryTimedOut = Code(value: .deliveryTimedOut)
        /// Broker and client have no version of the request in common.
        public static let unsupportedVersion = Code(value: .unsupportedVersion)
        /// The bytes of a response, or of the records in it, are not what the protocol says.
        public static let invalidResponse = Code(value: .invalidResponse)
        /// The broker refused; ``KafkaClientError/brokerError`` says why.
        public static let broker = Code(value: .broker)
        public static let unknownTopic = Code(value: .unknownTopic)
        public static let unknownPartition = Code(value: .unknownPartition)
        /// The record is larger than one request may be.
        public static let recordTooLarge = Code(value: .recordTooLarge)
        public static let invalidArgument = Code(value: .invalidArgument)
        public static let compressionFailed = Code(value: .compressionFailed)
        /// The client was closed.
        public static let closed = Code(value: .closed)
        /// The waiting task was cancelled; what it waited for may still happen.
        public static let cancelled = Code(value: .cancelled)

        public var description: String { value.rawValue }
    }

    public var code: Code
    /// What happened, for people.
    public var message: String
    /// The error code of the protocol, if a broker sent one.
    public var brokerError: ErrorCode?
    /// Whether a record in question may be in the log in spite of the error.
    public var mayHaveBeenStored = false

    public init(_ code: Code, _ message: String, brokerError: ErrorCode? = nil) {
        self.code = code
        self.message = message
        self.brokerError = brokerError
    }

    static func broker(_ error: ErrorCode, _ subject: String, message: String? = nil) -> KafkaClientError {
        let explanation = message.map { ": \($0)" } ?? ""
        return KafkaClientError(.broker, "\(subject): \(error.name)\(explanation)", brokerError: error)
    }

    static let closed = KafkaClientError(.closed, "the client is closed")
    static let cancelled = KafkaClientError(.cancelled, "the waiting task was cancelled")

    /// Whether trying again, perhaps at another broker, can help.
    public var isRetriable: Bool {
        switch code {
        case .connectionFailed, .connectionClosed, .requestTimedOut: true
        case .broker: brokerError?.isRetriable ?? false
        default: false
        }
    }
}

extension KafkaClientError: CustomStringConvertible {
    public var description: String { message }
}
