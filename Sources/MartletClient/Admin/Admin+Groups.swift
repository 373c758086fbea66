import KafkaWire
import NIOCore

/// Groups: what they are, how far they have come, and changing that.
extension Admin {
    /// The groups of all brokers, by id.
    public func listGroups() async throws(KafkaClientError) -> [GroupListing] {
        try await cluster.refreshMetadata()
        var groups: [String: GroupListing] = [:]
        for broker in cluster.metadata.brokers.keys.sorted() {
            let response = try await ask(ListGroupsRequest(), "groups of broker \(broker)", to: .node(broker)) {
                ($0.errorCode, nil)
            }
            for group in response.groups {
                groups[group.groupID] = GroupListing(
                    id: group.groupID, type: GroupType(rawValue: group.groupType.lowercased()),
                    state: group.groupState, coordinator: broker)
            }
        }
        return groups.values.sorted { $0.id < $1.id }
    }

    /// - Throws: `broker` with `GROUP_ID_NOT_FOUND` if there is none of that name.
    public func describeGroup(_ id: String) async throws(KafkaClientError) -> GroupDescription {
        do {
            return try await describeConsumerGroup(id)
        } catch {
            // It may be a group of the other protocol, or a broker that knows only that one.
            guard error.code == .unsupportedVersion || error.brokerError == .groupIDNotFound else { throw error }
        }
        return try await describeClassicGroup(id)
    }

    private func describeConsumerGroup(_ id: String) async throws(KafkaClientError) -> GroupDescription {
        let request = ConsumerGroupDescribeRequest { $0.groupIDs = [id] }
        let response = try await ask(request, "group \(id)", to: .coordinator(id)) { response in
            (response.groups.first?.errorCode, response.groups.first?.errorMessage)
        }
        let group = response.groups.first ?? ConsumerGroupDescribeResponse.Group()
        return GroupDescription(
            id: id, type: .consumer, state: group.groupState, epoch: group.groupEpoch, assignor: group.assignorName,
            coordinator: try await cluster.coordinator(of: id), note: group.errorMessage,
            members: Self.sorted(group.members.map { member in
                GroupDescription.Member(
                    id: member.memberID, instanceID: member.instanceID, clientID: member.clientID,
                    host: member.clientHost, epoch: member.memberEpoch, subscription: member.subscribedTopicNames,
                    assigned: Self.partitions(member.assignment), target: Self.partitions(member.targetAssignment))
            }))
    }

    private static func partitions(_ assignment: ConsumerGroupDescribeResponse.Assignment) -> [TopicPartition] {
        assignment.topicPartitions.flatMap { topic in
            topic.partitions.sorted().map { TopicPartition(topic.topicName, $0) }
        }
    }

    private func describeClassicGroup(_ id: String) async throws(KafkaClientError) -> GroupDescription {
        let request = DescribeGroupsRequest { $0.groups = [id] }
        let response = try await ask(request, "group \(id)", to: .coordinator(id)) { response in
            (response.groups.first?.errorCode, response.groups.first?.errorMessage)
        }
        let group = response.groups.first ?? DescribeGroupsResponse.Group()
        // What brokers said of a group that is not there before they had a word for it.
        guard group.groupState != "Dead" else { throw .broker(.groupIDNotFound, "group \(id)") }
        return GroupDescription(
            id: id, type: .classic, state: group.groupState, epoch: nil, assignor: group.protocolData,
            coordinator: try await cluster.coordinator(of: id), note: group.errorMessage,
            members: Self.sorted(group.members.map { member in
                let assigned = ConsumerProtocol.assignment(member.memberAssignment)
                return GroupDescription.Member(
                    id: member.memberID, instanceID: member.groupInstanceID, clientID: member.clientID,
                    host: member.clientHost, epoch: nil,
                    subscription: ConsumerProtocol.subscription(member.memberMetadata), assigned: assigned,
                    target: assigned)
            }))
    }

    private static func sorted(_ members: [GroupDescription.Member]) -> [GroupDescription.Member] {
        members.sorted { ($0.clientID, $0.id) < ($1.clientID, $1.id) }
    }

    /// Deletes a group that has no members, with its offsets.
    ///
    /// - Throws: `broker` with `NON_EMPTY_GROUP` or `GROUP_ID_NOT_FOUND`.
    public func deleteGroup(_ id: String) async throws(KafkaClientError) {
        try await ask(DeleteGroupsRequest { $0.groupsNames = [id] }, "group \(id)", to: .coordinator(id)) { response in
            (response.results.first?.errorCode, nil)
        }
    }

    // MARK: - Offsets

    /// How far a group has come, in every partition of which it has said so. Nothing for a group that is not there.
    public func committedOffsets(
        of group: String
    ) async throws(KafkaClientError) -> [TopicPartition: CommittedOffset] {
        try await retry(.coordinator(group)) { () throws(KafkaClientError) in
            try await cluster.committedOffsets(of: group)
        }
    }

    /// Says in a group's place how far it has come. It must have no members: they would say otherwise.
    ///
    /// - Throws: `broker` with `UNKNOWN_MEMBER_ID` if it has, or with the error of the first partition that is refused.
    public func alterCommittedOffsets(
        of group: String, to offsets: [TopicPartition: Int64]
    ) async throws(KafkaClientError) {
        guard !offsets.isEmpty else { return }
        try await retry(.coordinator(group)) { () throws(KafkaClientError) in
            try await cluster.commit(offsets, of: group)
        }
    }

    /// Forgets how far a group has come in partitions of topics that no member of it reads.
    ///
    /// - Throws: `broker` with `GROUP_SUBSCRIBED_TO_TOPIC` if a member does.
    public func deleteCommittedOffsets(
        of group: String, in partitions: [TopicPartition]
    ) async throws(KafkaClientError) {
        let topics = Dictionary(grouping: partitions, by: \.topic).sorted { $0.key < $1.key }
        let request = OffsetDeleteRequest {
            $0.groupID = group
            $0.topics = topics.map { name, partitions in
                .init {
                    $0.name = name
                    $0.partitions = partitions.map { partition in .init { $0.partitionIndex = partition.partition } }
                }
            }
        }
        try await ask(request, "group \(group)", to: .coordinator(group)) { response in
            let codes = [response.errorCode] + response.topics.flatMap { $0.partitions.map(\.errorCode) }
            return (codes.first { $0 != .none } ?? ErrorCode.none, nil)
        }
    }
}
