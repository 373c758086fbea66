import Basics
import NIOCore

@testable import Broker

extension ClassicJoin {
    /// A join with an id that was given out for it.
    static func sample(
        _ memberID: String, instanceID: String? = nil, type: String = "consumer", protocols: [String] = ["range"],
        topics: [String] = ["t"], metadata: String = "", sizeMax: Int32 = 100, sessionTimeout: Int32 = 10_000,
        rebalanceTimeout: Int32 = 30_000
    ) -> ClassicJoin {
        ClassicJoin(
            member: GroupMemberIdentity(memberID, instanceID: instanceID), isNew: true, clientID: "client",
            clientHost: "host", sessionTimeout: sessionTimeout, rebalanceTimeout: rebalanceTimeout, protocolType: type,
            protocols: protocols.map { name in
                var bytes = ByteBuffer.subscription(to: topics)
                bytes.writeString(metadata)
                return SupportedProtocol(name: name, metadata: bytes)
            },
            sizeMax: sizeMax)
    }

    /// A join of a member that has its id already.
    static func known(
        _ memberID: String, instanceID: String? = nil, protocols: [String] = ["range"], metadata: String = ""
    ) -> ClassicJoin {
        var join = sample(memberID, instanceID: instanceID, protocols: protocols, metadata: metadata)
        join.isNew = false
        return join
    }
}

extension ClassicSync {
    static func sample(_ memberID: String, generation: Int32, _ assignments: [String: String] = [:]) -> ClassicSync {
        ClassicSync(
            memberID: memberID, generation: generation,
            assignments: assignments.sorted { $0.key < $1.key }.map {
                Assignment(memberID: $0.key, assignment: ByteBuffer(string: $0.value))
            })
    }
}

extension ByteBuffer {
    /// What a consumer says of itself that tells what it has: version 1, topics, no user data, partitions.
    static func subscription(to topics: [String], owning partitions: [NamedPartition]) -> ByteBuffer {
        var bytes = subscription(to: topics)
        bytes.setInteger(Int16(1), at: 0)
        bytes.writeInteger(Int32(-1))
        var assignment = ConsumerAssignment(partitions).encoded(version: 0)
        assignment.moveReaderIndex(forwardBy: 2)
        bytes.writeImmutableBuffer(assignment.getSlice(at: 2, length: assignment.readableBytes - 4) ?? ByteBuffer())
        return bytes
    }

    /// What a consumer says of itself: version 0, topics, no user data.
    static func subscription(to topics: [String]) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeMultipleIntegers(Int16(0), Int32(topics.count))
        for topic in topics {
            bytes.writeInteger(Int16(topic.utf8.count))
            bytes.writeString(topic)
        }
        return bytes
    }
}

extension OffsetCommit {
    /// A commit of one offset, by nobody unless a member is given.
    static func sample(
        _ partition: PartitionKey, _ offset: Int64, member: String = "", generation: Int32 = -1,
        expiresAt: Milliseconds = -1, metadata: String = ""
    ) -> OffsetCommit {
        OffsetCommit(
            member: GroupMemberIdentity(member), generation: generation, expiresAt: expiresAt,
            offsets: [Entry(partition: partition, offset: offset, leaderEpoch: 3, metadata: metadata)])
    }
}
