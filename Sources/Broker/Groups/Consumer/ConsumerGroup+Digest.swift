import KafkaWire

/// The group's part of the state in one number: see `TopicsFSM.digest`.
extension ConsumerGroup {
    func mix(into digest: inout Digest) {
        digest.mix(Int64(epoch))
        digest.mix(topicsVersion)
        for topic in topics.values.sorted(by: { $0.name < $1.name }) {
            digest.mix(topic.name)
            digest.mix(UInt64(topic.number.rawValue))
            digest.mix(Int64(topic.partitionCount))
        }
        for member in members.values.sorted(by: { $0.id < $1.id }) {
            member.mix(into: &digest)
            digest.mix(target(of: member.id))
        }
    }
}

extension ConsumerGroupMember {
    fileprivate func mix(into digest: inout Digest) {
        let texts = [id, instanceID ?? "", rackID ?? "", clientID, clientHost, pattern?.regex ?? ""]
        for text in texts { digest.mix(text) }
        for name in topicNames { digest.mix(name) }
        for name in pattern?.topicNames ?? [] { digest.mix(name) }
        digest.mix(Int64(rebalanceTimeout))
        digest.mix(UInt64(assignor?.rawValue ?? 0))
        digest.mix(Int64(epoch))
        digest.mix(Int64(previousEpoch))
        digest.mix(Int64(wantsSince))
        if let classic {
            digest.mix(Int64(classic.sessionTimeout))
            for supported in classic.protocols {
                digest.mix(supported.name)
                digest.mix(supported.metadata)
            }
            digest.mix(classic.owned)
            digest.mix(UInt64(classic.hasSynced ? 1 : 0))
        }
        for held in [assigned, revoking] {
            digest.mix(held.keys)
            for partition in held.keys.sorted() { digest.mix(Int64(held[partition] ?? 0)) }
        }
    }
}

extension Digest {
    fileprivate mutating func mix(_ partitions: some Collection<TopicIDPartition>) {
        mix(UInt64(partitions.count))
        for partition in partitions.sorted() {
            mix(partition.topic.high)
            mix(partition.topic.low)
            mix(Int64(partition.partition))
        }
    }
}
