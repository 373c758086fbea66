import KafkaWire

/// A partition as members of the new protocol know it: by its topic's id, so that a topic deleted and created again
/// under its name is another topic.
public struct TopicIDPartition: Hashable, Comparable, Sendable {
    public var topic: TopicID
    public var partition: Int32

    public init(_ topic: TopicID, _ partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    public static func < (a: TopicIDPartition, b: TopicIDPartition) -> Bool {
        (a.topic.high, a.topic.low, a.partition) < (b.topic.high, b.topic.low, b.partition)
    }
}

extension Sequence where Element == TopicIDPartition {
    /// The same partitions as the protocol writes them: each topic once with its partitions, both in order.
    var byTopic: [(topic: TopicID, partitions: [Int32])] {
        var result: [(topic: TopicID, partitions: [Int32])] = []
        for element in sorted() {
            if result.last?.topic != element.topic { result.append((element.topic, [])) }
            result[result.count - 1].partitions.append(element.partition)
        }
        return result
    }
}
