import KafkaWire

/// What groups have committed, asked of their coordinators once.
extension Cluster {
    /// - Throws: `broker`, retriable while the coordinator changes.
    func committedOffsets(
        of group: String
    ) async throws(KafkaClientError) -> [TopicPartition: CommittedOffset] {
        let asked = OffsetFetchRequest {
            $0.groupID = group
            $0.topics = nil
            $0.groups = [
                .init {
                    $0.groupID = group
                    $0.topics = nil
                }
            ]
        }
        // From version 10 on topics go by id.
        let response = try await request(asked, to: .coordinator(group), maximumVersion: 9)
        let code = response.groups.first?.errorCode ?? response.errorCode
        guard code == .none else { throw .broker(code, "group \(group)") }
        let grouped = response.groups.first?.topics.map { ($0.name, $0.partitions) }
        var offsets: [TopicPartition: CommittedOffset] = [:]
        for (name, partitions) in grouped ?? response.topics.map({ ($0.name, $0.partitions) }) {
            for partition in partitions where partition.errorCode == .none && partition.committedOffset >= 0 {
                offsets[TopicPartition(name, partition.partitionIndex)] = CommittedOffset(
                    offset: partition.committedOffset, leaderEpoch: partition.committedLeaderEpoch,
                    metadata: partition.metadata ?? "")
            }
        }
        return offsets
    }

    /// - Parameters:
    ///   - memberID: empty for one that is no member; the group must have none then.
    ///   - epoch: of the member; -1 for one that is none.
    /// - Throws: `broker`, with the first error of any partition.
    func commit(
        _ offsets: [TopicPartition: Int64], of group: String, memberID: String = "", epoch: Int32 = -1,
        instanceID: String? = nil
    ) async throws(KafkaClientError) {
        let topics = Dictionary(grouping: offsets.keys, by: \.topic).sorted { $0.key < $1.key }
        let asked = OffsetCommitRequest {
            $0.groupID = group
            $0.memberID = memberID
            $0.generationIDOrMemberEpoch = epoch
            $0.groupInstanceID = instanceID
            $0.topics = topics.map { name, partitions in
                .init {
                    $0.name = name
                    $0.partitions = partitions.sorted { $0.partition < $1.partition }.map { partition in
                        .init {
                            $0.partitionIndex = partition.partition
                            $0.committedOffset = offsets[partition] ?? 0
                        }
                    }
                }
            }
        }
        let response = try await request(asked, to: .coordinator(group), maximumVersion: 9)
        let codes = response.topics.flatMap { $0.partitions.map(\.errorCode) }
        if let code = codes.first(where: { $0 != .none }) { throw .broker(code, "group \(group)") }
    }
}
