import Basics
import KafkaWire
import NIOCore

/// What members of a classic group tell each other through the broker.
enum ClassicAssignment {
    /// A subscription as Kafka's clients write it, which the broker reads: version 0, names, no user data.
    static func subscription(to names: [String]) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeInteger(Int16(0))
        bytes.writeInteger(Int32(names.count))
        for name in names {
            bytes.writeInteger(Int16(name.utf8.count))
            bytes.writeString(name)
        }
        bytes.writeInteger(Int32(-1))
        return bytes
    }

    static func names(in subscription: ByteBuffer) -> [String]? {
        var bytes = subscription
        guard let version: Int16 = bytes.readInteger(), version == 0, let count: Int32 = bytes.readInteger() else {
            return nil
        }
        var names: [String] = []
        for _ in 0..<count {
            guard let length: Int16 = bytes.readInteger(), let name = bytes.readString(length: Int(length)) else {
                return nil
            }
            names.append(name)
        }
        return names
    }

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
        let byTopic = GroupReader.byTopic(lanes)
        bytes.writeInteger(Int32(byTopic.count))
        for (id, lanes) in byTopic {
            let name = topics.first { $0.id == id }?.name ?? ""
            bytes.writeInteger(Int16(name.utf8.count))
            bytes.writeString(name)
            bytes.writeInteger(Int32(lanes.count))
            for lane in lanes { bytes.writeInteger(lane.partition) }
        }
        bytes.writeInteger(Int32(-1))
        return bytes
    }

    /// The same read back; nil if these bytes are no such assignment.
    static func decodeNames(_ assignment: ByteBuffer) -> [(name: String, partition: Int32)]? {
        var bytes = assignment
        guard bytes.readableBytes > 0 else { return [] }
        guard let _: Int16 = bytes.readInteger(), let count: Int32 = bytes.readInteger() else { return nil }
        var named: [(name: String, partition: Int32)] = []
        for _ in 0..<count {
            guard let length: Int16 = bytes.readInteger(), let name = bytes.readString(length: Int(length)),
                let partitionCount: Int32 = bytes.readInteger()
            else { return nil }
            for _ in 0..<partitionCount {
                guard let partition: Int32 = bytes.readInteger() else { return nil }
                named.append((name, partition))
            }
        }
        return named
    }

    /// Each topic's partitions in consecutive ranges, in the order of its subscribers.
    static func range(
        _ members: [JoinGroupResponse.Member], _ topics: [ClusterView.Topic]
    ) -> [(memberID: String, lanes: [Lane])] {
        let sorted = members.sorted { ($0.groupInstanceID ?? $0.memberID) < ($1.groupInstanceID ?? $1.memberID) }
        let subscriptions = sorted.map { names(in: $0.metadata) ?? [] }
        var lanes = Array(repeating: [Lane](), count: sorted.count)
        for topic in topics.sorted(by: { $0.name < $1.name }) {
            let subscribers = sorted.indices.filter { subscriptions[$0].contains(topic.name) }
            for partition in 0..<Int(topic.partitionCount) where !subscribers.isEmpty {
                let owner = subscribers[partition * subscribers.count / Int(topic.partitionCount)]
                lanes[owner].append(Lane(topic: topic.id, partition: Int32(partition)))
            }
        }
        return zip(sorted, lanes).map { ($0.memberID, $1) }
    }
}
