import Basics
import NIOCore

/// The groups' part of the state in one number: see `TopicsFSM.digest`.
extension GroupTable {
    func mix(into digest: inout Digest) {
        for (groupID, group) in groups.sorted(by: { $0.key < $1.key }) {
            digest.mix(groupID)
            group.mix(into: &digest)
        }
        for topic in topics.sorted() { digest.mix(UInt64(topic.rawValue)) }
    }
}

extension CommandAssembly {
    func mix(into digest: inout Digest) {
        digest.mix(UInt64(received))
        digest.mix(bytes)
    }
}

extension Group {
    fileprivate func mix(into digest: inout Digest) {
        digest.mix(idleSince)
        for (partition, committed) in offsets.partitions.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            digest.mix(partition.rawValue)
            digest.mix(committed.offset)
            digest.mix(Int64(committed.leaderEpoch))
            digest.mix(committed.metadata)
            digest.mix(committed.committedAt)
            digest.mix(committed.expiresAt)
        }
        switch membership {
        case .none: digest.mix(UInt64(0))
        case .classic(let group): group.mix(into: &digest)
        case .consumer(let group): group.mix(into: &digest)
        }
    }
}

extension ClassicGroup {
    fileprivate func mix(into digest: inout Digest) {
        digest.mix(state.rawValue)
        digest.mix(Int64(generation))
        digest.mix(protocolType)
        digest.mix(protocolName ?? "")
        digest.mix(leaderID ?? "")
        for member in sortedMembers {
            digest.mix(member.memberID)
            digest.mix(member.instanceID ?? "")
            digest.mix(member.clientID)
            digest.mix(member.clientHost)
            digest.mix(Int64(member.sessionTimeout))
            digest.mix(Int64(member.rebalanceTimeout))
            for supported in member.protocols {
                digest.mix(supported.name)
                digest.mix(supported.metadata)
            }
            digest.mix(member.joinOrder)
            digest.mix(UInt64(member.hasJoined ? 1 : 0))
            digest.mix(Int64(member.formerGeneration ?? -1))
            digest.mix(member.assignment)
        }
    }
}

extension Digest {
    mutating func mix(_ bytes: ByteBuffer) {
        mix(UInt64(bytes.readableBytes))
        for byte in bytes.readableBytesView { mix(UInt64(byte)) }
    }
}
