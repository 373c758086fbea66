import NIOCore

/// The metadata of members of the protocol type "consumer" (Kafka's ConsumerProtocolSubscription), of which the broker
/// reads the topics alone. Clients may send anything else in its place.
///
///     version 2, topics (count 4, each a string with a length of 2), and more; big-endian
enum ConsumerSubscription {
    static let protocolType = "consumer"

    /// The topics; nil if these bytes are no subscription.
    static func topics(in metadata: ByteBuffer) -> Set<String>? {
        var bytes = metadata
        guard let version: Int16 = bytes.readInteger(), version >= 0, let count: Int32 = bytes.readInteger(), count >= 0
        else { return nil }
        var topics: Set<String> = []
        for _ in 0..<count {
            guard let length: Int16 = bytes.readInteger(), length >= 0,
                let topic = bytes.readString(length: Int(length))
            else { return nil }
            topics.insert(topic)
        }
        return topics
    }
}
