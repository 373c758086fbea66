import Basics

/// How a consumer fetches.
public struct ConsumerConfiguration: Sendable {
    /// What to do when the next record is no longer (or not yet) in the log.
    public enum OutOfRangePolicy: Sendable {
        case beginning
        case end
        /// The sequence throws.
        case fail
    }

    /// How long a broker may hold a fetch back when it has fewer than ``fetchBytesMinimum``.
    public var fetchWait = Duration.milliseconds(500)
    public var fetchBytesMinimum = 1
    /// The size of one response. A batch larger than this is sent whole all the same.
    public var fetchBytes = 8.mebibytes
    /// A partition's share of one response.
    public var partitionBytes = 1.mebibytes
    /// While this much is waiting to be consumed, nothing more is fetched. With what is on its way, a sequence holds
    /// at most this and one response from each broker.
    public var prefetchBytes = 16.mebibytes
    /// The most bytes that a batch may have once decompressed.
    public var batchBytesMaximum = 64.mebibytes
    public var outOfRange = OutOfRangePolicy.beginning
    /// Whether the checksum of each batch is checked.
    public var checksBatches = true

    public init() {}

    func validate() throws(KafkaClientError) {
        for (name, value) in [
            ("fetchBytesMinimum", fetchBytesMinimum), ("fetchBytes", fetchBytes), ("partitionBytes", partitionBytes),
            ("prefetchBytes", prefetchBytes), ("batchBytesMaximum", batchBytesMaximum),
        ] where value < 1 || value > Int(Int32.max) {
            throw KafkaClientError(.invalidArgument, "\(name) is \(value); it must be between 1 and \(Int32.max)")
        }
    }
}

/// Where a sequence of messages begins.
public enum ConsumerStart: Hashable, Sendable {
    /// At the oldest record there is.
    case beginning
    /// After the newest record there is when the sequence starts.
    case end
    case offset(Int64)
    /// At the first record with this timestamp or a later one, in milliseconds since 1970; at the end if there is none.
    case timestamp(Milliseconds)
}

/// Where a sequence of messages ends.
public enum ConsumerEnd: Hashable, Sendable {
    /// Nowhere: it waits for new records.
    case never
    /// At the end that each partition has when the sequence starts.
    case currentEnd
}
