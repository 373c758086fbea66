import Basics

/// The state in one number, for whoever compares replicas.
extension TopicsFSM {
    /// Two replicas that applied the same entries have the same digest, in whatever order they keep their tables.
    var digest: UInt64 {
        var digest = Digest()
        for topic in metadata.sortedTopics {
            digest.mix(UInt64(topic.number.rawValue))
            digest.mix(topic.name)
            digest.mix(UInt64(topic.partitionCount))
            for (name, value) in topic.config.overrides.sorted(by: { $0.key < $1.key }) {
                digest.mix(name)
                digest.mix(value)
            }
        }
        for broker in metadata.sortedBrokers { digest.mix(UInt64(broker.id.rawValue)) }
        for (key, state) in partitions.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            digest.mix(key.rawValue)
            state.mix(into: &digest)
        }
        groups.mix(into: &digest)
        assembly.mix(into: &digest)
        return digest.value
    }
}

extension PartitionState {
    fileprivate func mix(into digest: inout Digest) {
        digest.mix(logStart.rawValue)
        digest.mix(nextOffset.rawValue)
        digest.mix(Int64(bytes))
        for start in epochStarts {
            digest.mix(Int64(start.epoch))
            digest.mix(start.startOffset.rawValue)
        }
        for link in index.sealed.links {
            digest.mix(link.segment.rawValue)
            digest.mix(link.firstOffset.rawValue)
            digest.mix(link.maxTimestamp)
        }
        for run in index.runs {
            digest.mix(run.firstOffset.rawValue)
            digest.mix(run.firstIndex.rawValue)
            digest.mix(run.lastIndex.rawValue)
            digest.mix(run.maxTimestamp)
        }
        for (id, producer) in producers.sorted(by: { $0.key < $1.key }) {
            digest.mix(id)
            digest.mix(Int64(producer.epoch))
            digest.mix(producer.lastSeen)
            for batch in producer.batches {
                digest.mix(Int64(batch.firstSequence))
                digest.mix(Int64(batch.lastSequence))
                digest.mix(batch.baseOffset.rawValue)
            }
        }
    }
}

/// FNV-1a over 64-bit words.
struct Digest {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func mix(_ word: UInt64) { value = (value ^ word) &* 0x0000_0100_0000_01B3 }
    mutating func mix(_ word: Int64) { mix(UInt64(bitPattern: word)) }
    mutating func mix(_ text: String) { mix(text.utf8.reduce(UInt64(text.utf8.count)) { $0 &* 31 &+ UInt64($1) }) }
}
