import Basics
import KafkaWire

/// How a producer gathers and sends records.
public struct ProducerConfiguration: Sendable {
    /// When the broker answers.
    public enum Acknowledgement: Int16, Sendable {
        /// Never: records may be lost without notice, and have no offset.
        case none = 0
        /// When the leader has the records.
        case leader = 1
        /// When all in-sync replicas have them.
        case all = -1
    }

    public var acknowledgement = Acknowledgement.all
    /// Gives every batch a sequence number, so that a retry never stores records twice and never out of order
    /// (KIP-98). Takes effect only with ``Acknowledgement/all``.
    public var isIdempotent = true
    public var codec = Codec.none
    /// A batch is sent when its records, uncompressed, would grow beyond this.
    public var batchBytes = 256.kibibytes
    /// How long a batch waits for more records while another of its partition is under way. A partition that has
    /// nothing under way sends at once, so that a lone record is never held back.
    public var linger = Duration.milliseconds(5)
    /// Records not yet acknowledged may take this many bytes; beyond it, sending suspends.
    public var bufferBytes = 32.mebibytes
    /// A request takes no further batch beyond this, and a record may not be larger.
    public var requestBytes = 1.mebibytes
    /// Requests under way to one broker, 1 to 5: a broker remembers the last five batches of a producer.
    public var requestsInFlight = 5
    /// A record that cannot be delivered in this time fails.
    public var deliveryTimeout = Duration.seconds(120)
    /// Whether the broker may create a topic that does not exist, if it is configured to.
    public var createsTopics = true

    public init() {}

    var usesSequences: Bool { isIdempotent && acknowledgement == .all }

    func validate() throws(KafkaClientError) {
        let bounds: [(String, Int, ClosedRange<Int>)] = [
            ("batchBytes", batchBytes, 1...256.mebibytes),
            ("requestBytes", requestBytes, 1.kibibytes...512.mebibytes),
            ("bufferBytes", bufferBytes, max(batchBytes, requestBytes)...Int.max),
            ("requestsInFlight", requestsInFlight, 1...5),
        ]
        for (name, value, allowed) in bounds where !allowed.contains(value) {
            throw KafkaClientError(
                .invalidArgument,
                "\(name) is \(value); it must be between \(allowed.lowerBound) and \(allowed.upperBound)")
        }
    }
}
