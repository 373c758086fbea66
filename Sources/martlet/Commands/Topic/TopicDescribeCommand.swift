import ArgumentParser
import MartletClient

/// `martlet topic describe`.
struct TopicDescribeCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe",
        abstract: "Show a topic's partitions with their leaders and offsets, and its settings.",
        discussion: """
            Examples:
              martlet topic describe orders
              martlet topic describe orders --json
            """
    )

    @Argument(help: "The topic's name.")
    var name: String

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup var client: ClientOptions

    func execute() async throws {
        let report = try await withAdmin(client) { admin in try await TopicReport(name, admin) }
        print(json ? try JSONOutput.line(report) : report.text)
    }
}

/// What `topic describe` shows.
struct TopicReport: Encodable, Sendable {
    struct Partition: Encodable, Sendable {
        var partition: Int32
        var leader: Int32?
        var leaderEpoch: Int32
        var replicas: [Int32]
        var inSyncReplicas: [Int32]
        /// Nil while there is no leader to ask.
        var beginning: Int64?
        var end: Int64?
    }

    var name: String
    var id: String
    var partitions: [Partition]
    /// Those somebody has set.
    var configs: [String: String]

    init(name: String, id: String, partitions: [Partition], configs: [String: String]) {
        self.name = name
        self.id = id
        self.partitions = partitions
        self.configs = configs
    }

    init(_ name: String, _ admin: Admin) async throws {
        let topic = try await admin.describeTopic(name)
        let led = topic.partitions.filter { $0.leader != nil }.map { TopicPartition(name, $0.index) }
        let beginnings = try await admin.offsets(of: led, at: .beginning)
        let ends = try await admin.offsets(of: led, at: .end)
        let configs = try await admin.configs(of: .topic(name)).filter { !$0.isDefault }
        self.init(
            name: topic.name,
            id: "\(topic.id)",
            partitions: topic.partitions.map { partition in
                let key = TopicPartition(name, partition.index)
                return Partition(
                    partition: partition.index, leader: partition.leader, leaderEpoch: partition.leaderEpoch,
                    replicas: partition.replicas, inSyncReplicas: partition.inSyncReplicas,
                    beginning: beginnings[key] ?? nil, end: ends[key] ?? nil)
            },
            configs: Dictionary(configs.map { ($0.name, $0.value ?? "") }, uniquingKeysWith: { first, _ in first })
        )
    }

    var text: String {
        var table = Table([
            ("PARTITION", .right), ("LEADER", .right), ("EPOCH", .right), ("REPLICAS", .left), ("IN SYNC", .left),
            ("BEGINNING", .right), ("END", .right),
        ])
        for partition in partitions {
            table.add([
                "\(partition.partition)", partition.leader.text, "\(partition.leaderEpoch)",
                partition.replicas.text, partition.inSyncReplicas.text, partition.beginning.text, partition.end.text,
            ])
        }
        var lines = ["topic \(name)  id \(id)", table.description]
        lines += configs.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return lines.joined(separator: "\n")
    }
}

extension Optional where Wrapped: BinaryInteger {
    /// A dash for nothing.
    var text: String { map { "\($0)" } ?? "-" }
}

extension [Int32] {
    var text: String { isEmpty ? "-" : map { "\($0)" }.joined(separator: ",") }
}
