import Basics
import Logging
import NIOCore
import NIOPosix

/// What every client needs to know: where the cluster is, and how long to wait for it.
public struct KafkaClientConfiguration: Sendable {
    /// Brokers to ask for the cluster's metadata at first; one that answers is enough.
    public var bootstrapServers: [BrokerAddress]
    /// The name that brokers show in their logs and quotas.
    public var clientID = "martlet"
    /// How long a TCP connection may take to open.
    public var connectTimeout = Duration.seconds(10)
    /// How long a broker may take to answer, beyond the time a request asks it to wait. A connection on which a
    /// response is overdue is closed.
    public var requestTimeout = Duration.seconds(30)
    /// How long an operation is tried again after errors that pass by themselves, such as an election.
    public var operationTimeout = Duration.seconds(60)
    /// The pause before the first retry. It doubles with each further one.
    public var retryBackoff = Duration.milliseconds(50)
    /// The longest pause between retries.
    public var retryBackoffMaximum = Duration.seconds(1)
    /// Metadata older than this is asked for again, so that new partitions are noticed.
    public var metadataMaximumAge = Duration.seconds(300)
    /// A broker that announces a larger response is disconnected.
    public var responseBytesMaximum = 128.mebibytes
    /// The threads of the client's sockets; each client uses one of them.
    public var eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    public var logger = Logger(label: "martlet.client", factory: { _ in SwiftLogNoOpLogHandler() })

    /// - Parameter bootstrapServers: at least one address.
    public init(bootstrapServers: [BrokerAddress]) {
        self.bootstrapServers = bootstrapServers
    }
}

/// Pauses that double from retry to retry, each shortened by up to a half at random so that clients which failed
/// together do not come back together.
struct Backoff {
    private let first: Duration
    private let maximum: Duration
    private var attempts = 0

    init(_ configuration: KafkaClientConfiguration) {
        first = configuration.retryBackoff
        maximum = configuration.retryBackoffMaximum
    }

    mutating func reset() { attempts = 0 }

    mutating func next() -> Duration {
        // Past 20 doublings any sensible maximum is reached.
        let pause = min(maximum, first * (1 << min(attempts, 20)))
        attempts += 1
        return pause * Double.random(in: 0.5...1)
    }
}
