import MartletClient

/// What `group describe` shows.
struct GroupReport: Encodable, Sendable {
    struct Partition: Encodable, Sendable {
        var topic: String
        var partition: Int32
        /// The next record to read; nil while nothing was committed.
        var committed: Int64?
        /// Nil while there is no leader to ask.
        var end: Int64?
        /// Records that are not read yet; nil while either end is unknown.
        var lag: Int64?
        /// The client that owns it.
        var member: String?
    }

    struct Member: Encodable, Sendable {
        var id: String
        var instanceID: String?
        var client: String
        var host: String
        var epoch: Int32?
        var subscription: [String]
        var assigned: [String]
        /// Partitions that it shall have and has not yet.
        var toReceive: [String]
    }

    var group: String
    var type: String
    var state: String
    var epoch: Int32?
    var assignor: String
    var coordinator: Int32
    /// Who holds up a rebalance, and for how long.
    var note: String?
    var partitions: [Partition]
    var members: [Member]

    init(
        _ group: GroupDescription, committed: [TopicPartition: CommittedOffset], ends: [TopicPartition: Int64?]
    ) {
        self.group = group.id
        type = group.type.rawValue
        state = group.state
        epoch = group.epoch
        assignor = group.assignor
        coordinator = group.coordinator
        note = group.note
        partitions = Self.places(group, committed).map { place in
            let offset = committed[place]?.offset, end = ends[place] ?? nil
            let lag = offset.flatMap { offset in end.map { max($0 - offset, 0) } }
            return Partition(
                topic: place.topic, partition: place.partition, committed: offset, end: end, lag: lag,
                member: group.owner(of: place).map { $0.instanceID ?? $0.id })
        }
        members = group.members.map { member in
            Member(
                id: member.id, instanceID: member.instanceID, client: member.clientID, host: member.host,
                epoch: member.epoch, subscription: member.subscription, assigned: member.assigned.map(\.description),
                toReceive: member.toReceive.map(\.description))
        }
    }

    init(_ name: String, _ admin: Admin) async throws {
        let group = try await admin.describeGroup(name)
        let committed = try await admin.committedOffsets(of: name)
        let places = Self.places(group, committed)
        // A topic may have been deleted since, or have no leader now.
        let ends = try? await admin.offsets(of: places, at: .end)
        self.init(group, committed: committed, ends: ends ?? [:])
    }

    /// All partitions that members own or something was committed for.
    private static func places(
        _ group: GroupDescription, _ committed: [TopicPartition: CommittedOffset]
    ) -> [TopicPartition] {
        Set(committed.keys).union(group.members.flatMap { $0.assigned + $0.target })
            .sorted { ($0.topic, $0.partition) < ($1.topic, $1.partition) }
    }

    // MARK: For people

    var text: String {
        var head = "group \(group)  type \(type)  state \(state)  coordinator \(coordinator)"
        if !assignor.isEmpty { head += "  assignor \(assignor)" }
        if let epoch { head += "  epoch \(epoch)" }
        var lines = [head]
        if let note, !note.isEmpty { lines.append(note) }
        if !partitions.isEmpty { lines += ["", partitionTable] }
        if !members.isEmpty { lines += ["", memberTable] }
        return lines.joined(separator: "\n")
    }

    private var partitionTable: String {
        var table = Table([
            ("TOPIC", .left), ("PARTITION", .right), ("COMMITTED", .right), ("END", .right), ("LAG", .right),
            ("MEMBER", .left),
        ])
        for partition in partitions {
            table.add([
                partition.topic, "\(partition.partition)", partition.committed.text, partition.end.text,
                partition.lag.text, partition.member ?? "-",
            ])
        }
        return table.description
    }

    private var memberTable: String {
        var table = Table([
            ("MEMBER", .left), ("CLIENT", .left), ("HOST", .left), ("EPOCH", .right), ("PARTITIONS", .right),
            ("SUBSCRIPTION", .left),
        ])
        for member in members {
            table.add([
                member.instanceID ?? member.id, member.client, member.host, member.epoch.text,
                "\(member.assigned.count)",
                member.subscription.isEmpty ? "-" : member.subscription.joined(separator: ","),
            ])
        }
        return table.description
    }
}
