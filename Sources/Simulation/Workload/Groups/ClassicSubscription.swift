import NIOCore

/// What a member of a classic group says of itself when it joins, as Kafka's consumers write it; the broker reads it.
struct ClassicSubscription {
    var topics: [String]
    /// What it has; nil if it gives up all it has before it joins.
    var claim: Claim?

    struct Claim {
        let partitions: Set<NamedPartition>
        /// In which generation the member was last: what it claims may have been given to others since.
        let generation: Int32
    }

    init(to topics: [String], claim: Claim?) {
        self.topics = topics
        self.claim = claim
    }

    /// Nil if these bytes are no subscription.
    init?(_ metadata: ByteBuffer) {
        var bytes = metadata
        guard let version: Int16 = bytes.readInteger(), version == 0 || version == 2,
            let count: Int32 = bytes.readInteger()
        else { return nil }
        topics = []
        for _ in 0..<count {
            guard let name = bytes.readShortString() else { return nil }
            topics.append(name)
        }
        guard version == 2 else { return }
        guard let userData: Int32 = bytes.readInteger(), userData == -1,
            let partitions = bytes.readNamedPartitions(), let generation: Int32 = bytes.readInteger()
        else { return nil }
        claim = Claim(partitions: partitions, generation: generation)
    }

    /// No user data; version 2 if there is something to claim, else the oldest.
    var encoded: ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeInteger(Int16(claim == nil ? 0 : 2))
        bytes.writeInteger(Int32(topics.count))
        for name in topics { bytes.writeShortString(name) }
        bytes.writeInteger(Int32(-1))
        if let claim {
            bytes.write(claim.partitions)
            bytes.writeInteger(claim.generation)
        }
        return bytes
    }
}
