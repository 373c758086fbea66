import Basics
import KafkaWire
import NIOCore

/// What the leader of a classic group gives to its members, and how they write it for each other.
struct ClassicAssignment {
    var members: [(memberID: String, lanes: [Lane])]
    /// All that somebody subscribes to.
    var wanted: [Lane]
    /// How much of it nobody gets yet, since another than who shall have it has not given it up.
    var withheld: Int

    /// Each topic's partitions in consecutive ranges, in the order of its subscribers.
    static func ranges(_ subscriptions: [ClassicSubscription], _ topics: [ClusterView.Topic]) -> [[Lane]] {
        var lanes = Array(repeating: [Lane](), count: subscriptions.count)
        for topic in topics.sorted(by: { $0.name < $1.name }) {
            let subscribers = subscriptions.indices.filter { subscriptions[$0].topics.contains(topic.name) }
            guard !subscribers.isEmpty else { continue }
            for (number, lane) in topic.lanes.enumerated() {
                lanes[subscribers[number * subscribers.count / topic.lanes.count]].append(lane)
            }
        }
        return lanes
    }

    // MARK: Bytes

    /// An assignment, which the broker does not look into: lanes by their topics' ids, so that no name can mislead.
    static func encode(_ lanes: [Lane]) -> ByteBuffer {
        var bytes = ByteBuffer()
        for lane in lanes {
            bytes.writeInteger(lane.topic.high)
            bytes.writeInteger(lane.topic.low)
            bytes.writeInteger(lane.partition)
        }
        return bytes
    }

    /// Nil if these bytes are no assignment.
    static func decode(_ assignment: ByteBuffer) -> [Lane]? {
        var bytes = assignment
        guard bytes.readableBytes % 20 == 0 else { return nil }
        var lanes: [Lane] = []
        while let high: UInt64 = bytes.readInteger(), let low: UInt64 = bytes.readInteger(),
            let partition: Int32 = bytes.readInteger()
        {
            lanes.append(Lane(topic: TopicID(high: high, low: low), partition: partition))
        }
        return lanes
    }

    /// An assignment as Kafka's clients write it, which the broker reads when it changes the group's protocol.
    static func encode(_ lanes: [Lane], _ topics: [ClusterView.Topic]) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeInteger(Int16(0))
        bytes.write(Set(lanes.map { lane in
            NamedPartition(topic: topics.first { $0.id == lane.topic }?.name ?? "", number: lane.partition)
        }))
        bytes.writeInteger(Int32(-1))
        return bytes
    }

    /// The same read back; nil if these bytes are no such assignment.
    static func decodeNames(_ assignment: ByteBuffer) -> Set<NamedPartition>? {
        var bytes = assignment
        guard bytes.readableBytes > 0 else { return [] }
        guard let _: Int16 = bytes.readInteger() else { return nil }
        return bytes.readNamedPartitions()
    }
}

extension ClusterView.Topic {
    var lanes: [Lane] { (0..<partitionCount).map { Lane(topic: id, partition: $0) } }
}
