import NIOCore

/// What members of the protocol type "consumer" tell each other, in Kafka's own format: subscriptions in the metadata
/// of a JoinGroup, assignments in a SyncGroup. Clients may send anything else in their place. All integers big-endian.
///
/// | | fields |
/// |---|---|
/// | subscription | version 2, topics (count 4, each: name string), user data bytes, |
/// | | from version 1: *partitions* that the member has, from version 2: generation 4, from version 3: rack string |
/// | assignment | version 2, *partitions*, user data bytes |
/// | partitions | count 4, each: topic name string, partitions (count 4, each 4) |
///
/// A string has a length of 2, bytes have one of 4, -1 for none.
enum ConsumerProtocol {
    static let protocolType = "consumer"
    /// The newest version of an assignment; all have the same fields.
    static let assignmentVersionMax: Int16 = 3
}

/// A partition by the name of its topic.
struct NamedPartition: Hashable {
    var topic: String
    var partition: Int32
}

/// What a member wants to read, and what it has.
struct ConsumerSubscription {
    var version: Int16
    var topics: Set<String>
    /// What the member has not given up: nothing if it gives up all before it joins.
    var owned: [NamedPartition]

    /// Nil if these bytes are no subscription.
    init?(_ metadata: ByteBuffer) {
        var bytes = metadata
        guard let version: Int16 = bytes.readInteger(), let topics = bytes.readTopics(version: version) else {
            return nil
        }
        self.version = version
        self.topics = topics
        owned = []
        guard version >= 1 else { return }
        guard bytes.skipLongBytes(), let owned = bytes.readNamedPartitions() else { return nil }
        self.owned = owned
    }

    /// The topics alone; nil if these bytes do not begin as a subscription does.
    static func topics(in metadata: ByteBuffer) -> Set<String>? {
        var bytes = metadata
        guard let version: Int16 = bytes.readInteger() else { return nil }
        return bytes.readTopics(version: version)
    }
}

/// What a member shall read.
struct ConsumerAssignment {
    var partitions: [NamedPartition]

    init(_ partitions: [NamedPartition]) { self.partitions = partitions }

    /// Nil if these bytes are no assignment. No bytes at all assign nothing.
    init?(_ bytes: ByteBuffer) {
        var bytes = bytes
        partitions = []
        guard bytes.readableBytes > 0 else { return }
        guard let version: Int16 = bytes.readInteger(), version >= 0, let partitions = bytes.readNamedPartitions()
        else { return nil }
        self.partitions = partitions
    }

    /// - Parameter version: that of the member's subscription: it understands assignments of the same.
    func encoded(version: Int16) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeInteger(min(max(version, 0), ConsumerProtocol.assignmentVersionMax))
        let topics = Dictionary(grouping: partitions, by: \.topic).sorted { $0.key < $1.key }
        buffer.writeInteger(Int32(topics.count))
        for (topic, partitions) in topics {
            buffer.writeInteger(Int16(topic.utf8.count))
            buffer.writeString(topic)
            buffer.writeInteger(Int32(partitions.count))
            for partition in partitions.map(\.partition).sorted() { buffer.writeInteger(partition) }
        }
        buffer.writeInteger(Int32(-1))
        return buffer
    }
}

extension ByteBuffer {
    fileprivate mutating func readTopics(version: Int16) -> Set<String>? {
        guard version >= 0, let count: Int32 = readInteger(), count >= 0 else { return nil }
        var topics: Set<String> = []
        for _ in 0..<count {
            guard let topic = readTopicName() else { return nil }
            topics.insert(topic)
        }
        return topics
    }

    private mutating func readTopicName() -> String? {
        guard let length: Int16 = readInteger(), length >= 0 else { return nil }
        return readString(length: Int(length))
    }

    fileprivate mutating func readNamedPartitions() -> [NamedPartition]? {
        guard let topicCount: Int32 = readInteger(), topicCount >= 0 else { return nil }
        var partitions: [NamedPartition] = []
        for _ in 0..<topicCount {
            guard let topic = readTopicName(), let count: Int32 = readInteger(), count >= 0 else { return nil }
            for _ in 0..<count {
                guard let partition: Int32 = readInteger() else { return nil }
                partitions.append(NamedPartition(topic: topic, partition: partition))
            }
        }
        return partitions
    }

    /// Bytes with a length of 4, which is negative if there are none.
    fileprivate mutating func skipLongBytes() -> Bool {
        guard let length: Int32 = readInteger() else { return false }
        guard length > 0 else { return true }
        guard Int(length) <= readableBytes else { return false }
        moveReaderIndex(forwardBy: Int(length))
        return true
    }
}
