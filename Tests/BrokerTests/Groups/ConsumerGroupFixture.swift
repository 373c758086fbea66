import Basics
import KafkaWire

@testable import Broker

/// Shorthand for tests of one group.
extension ConsumerGroup {
    static func id(_ number: UInt64) -> TopicID { TopicID(high: number, low: 7) }

    /// A topic "t1", "t2" … with that many partitions.
    static func topic(_ number: UInt64, _ partitionCount: Int32) -> SubscribedTopic {
        SubscribedTopic(
            name: "t\(number)", id: id(number), number: TopicNumber(UInt32(number)), partitionCount: partitionCount)
    }

    static func partitions(_ topic: UInt64, _ partitions: some Sequence<Int32>) -> [TopicIDPartition] {
        partitions.map { TopicIDPartition(id(topic), $0) }
    }

    static func keys(_ topic: UInt32, _ partitions: some Sequence<Int32>) -> [PartitionKey] {
        partitions.map { PartitionKey(TopicNumber(topic), $0) }
    }

    static func join(
        _ member: String, to topics: [SubscribedTopic], instance: String? = nil, assignor: ServerAssignor? = nil
    ) -> ConsumerGroupHeartbeat {
        var heartbeat = ConsumerGroupHeartbeat(memberID: member, memberEpoch: 0)
        heartbeat.instanceID = instance
        heartbeat.clientID = "client"
        heartbeat.clientHost = "/127.0.0.1"
        heartbeat.rebalanceTimeout = 60_000
        heartbeat.topicNames = topics.map(\.name)
        heartbeat.assignor = assignor
        heartbeat.owned = []
        heartbeat.topics = SubscribedTopics(topics: topics)
        return heartbeat
    }

    static func beat(_ member: String, _ epoch: Int32, owned: [TopicIDPartition]? = nil) -> ConsumerGroupHeartbeat {
        var heartbeat = ConsumerGroupHeartbeat(memberID: member, memberEpoch: epoch)
        heartbeat.clientID = "client"
        heartbeat.clientHost = "/127.0.0.1"
        heartbeat.owned = owned
        return heartbeat
    }

    mutating func send(_ heartbeat: ConsumerGroupHeartbeat) throws(ConsumerGroupRefusal) -> ConsumerGroupAnswer {
        guard let answer = try apply(.heartbeat(heartbeat)).get() else {
            preconditionFailure("a heartbeat has an answer")
        }
        return answer
    }

    @discardableResult mutating func leave(
        _ member: String, instance: String? = nil, isTemporary: Bool = false
    ) throws(ConsumerGroupRefusal) -> ConsumerGroupAnswer? {
        try apply(.leave(ConsumerGroupLeave(memberID: member, instanceID: instance, isTemporary: isTemporary))).get()
    }

    /// Sends heartbeats of members that do at once what they are told, until nothing changes.
    mutating func settle() throws(ConsumerGroupRefusal) {
        var before: UInt64
        repeat {
            before = revision
            for member in members.values.sorted(by: { $0.id < $1.id }) where !member.isAbsent {
                _ = try send(Self.beat(member.id, member.epoch, owned: member.assigned.keys.sorted()))
            }
        } while revision != before
    }

    func assigned(_ member: String) -> [TopicIDPartition] { members[member]?.assigned.keys.sorted() ?? [] }
}
