import NIOCore

/// What members of classic groups of consumers tell each other through the broker. Any bytes may stand in its place:
/// what cannot be read is nothing.
///
///     subscription: version 2, topics (count 4, each a string with a length of 2), and more
///     assignment:   version 2, topics (count 4, each a string and its partitions: count 4, each 4), and more
enum ConsumerProtocol {
    static func subscription(_ metadata: ByteBuffer) -> [String] {
        var bytes = metadata
        var topics: [String] = []
        for _ in 0..<count(after: 2, &bytes) {
            guard let topic = string(&bytes) else { return [] }
            topics.append(topic)
        }
        return topics
    }

    static func assignment(_ assignment: ByteBuffer) -> [TopicPartition] {
        var bytes = assignment
        var partitions: [TopicPartition] = []
        for _ in 0..<count(after: 2, &bytes) {
            guard let topic = string(&bytes) else { return [] }
            for _ in 0..<count(after: 0, &bytes) {
                guard let partition: Int32 = bytes.readInteger() else { return [] }
                partitions.append(TopicPartition(topic, partition))
            }
        }
        return partitions
    }

    /// Never more than there are bytes behind it.
    private static func count(after skipped: Int, _ bytes: inout ByteBuffer) -> Int {
        guard bytes.readSlice(length: skipped) != nil, let count: Int32 = bytes.readInteger(), count > 0 else {
            return 0
        }
        return min(Int(count), bytes.readableBytes)
    }

    private static func string(_ bytes: inout ByteBuffer) -> String? {
        guard let length: Int16 = bytes.readInteger(), length >= 0 else { return nil }
        return bytes.readString(length: Int(length))
    }
}
