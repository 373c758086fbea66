import ArgumentParser
import MartletClient

/// `martlet cluster`: the cluster as a whole.
struct ClusterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster",
        abstract: "Look at the cluster.",
        subcommands: [ClusterStatusCommand.self]
    )
}

/// `martlet cluster status`.
struct ClusterStatusCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show the brokers, the controller, and the leader of every partition.",
        discussion: """
            Exit status 1 if there is no controller or a partition has no leader.

            Examples:
              martlet cluster status
              martlet cluster status --bootstrap 10.0.0.1:9092 --json
            """
    )

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup var client: ClientOptions

    func execute() async throws {
        let report = try await withAdmin(client) { admin in
            ClusterReport(try await admin.describeCluster(), try await admin.listTopics())
        }
        print(json ? try JSONOutput.line(report) : report.text)
        if !report.isHealthy { throw ExitCode(1) }
    }
}

/// What `cluster status` shows.
struct ClusterReport: Encodable, Sendable {
    struct Broker: Encodable, Sendable {
        var id: Int32
        var address: String
        var isController: Bool
        /// Partitions it leads.
        var leads: Int
    }

    struct Partition: Encodable, Sendable {
        var topic: String
        var partition: Int32
        var leader: Int32?
        var leaderEpoch: Int32
        var replicas: [Int32]
        var inSyncReplicas: [Int32]
    }

    var clusterID: String?
    var controller: Int32?
    var brokers: [Broker]
    var partitions: [Partition]

    init(_ cluster: ClusterDescription, _ topics: [TopicDescription]) {
        clusterID = cluster.clusterID
        controller = cluster.controller
        partitions = topics.flatMap { topic in
            topic.partitions.map { partition in
                Partition(
                    topic: topic.name, partition: partition.index, leader: partition.leader,
                    leaderEpoch: partition.leaderEpoch, replicas: partition.replicas,
                    inSyncReplicas: partition.inSyncReplicas)
            }
        }
        let leads = Dictionary(grouping: partitions) { $0.leader }.mapValues(\.count)
        brokers = cluster.brokers.map { broker in
            Broker(
                id: broker.id, address: "\(broker.address)", isController: broker.id == cluster.controller,
                leads: leads[broker.id] ?? 0)
        }
    }

    var isHealthy: Bool { controller != nil && !partitions.contains { $0.leader == nil } }

    var text: String {
        var brokerTable = Table([("BROKER", .right), ("ADDRESS", .left), ("LEADS", .right), ("", .left)])
        for broker in brokers {
            brokerTable.add([
                "\(broker.id)", broker.address, "\(broker.leads)", broker.isController ? "controller" : "",
            ])
        }
        var lines = ["cluster \(clusterID ?? "-")", brokerTable.description]
        if controller == nil { lines.append("no controller") }
        guard !partitions.isEmpty else { return lines.joined(separator: "\n") }
        var table = Table([
            ("TOPIC", .left), ("PARTITION", .right), ("LEADER", .right), ("EPOCH", .right), ("REPLICAS", .left),
            ("IN SYNC", .left),
        ])
        for partition in partitions {
            table.add([
                partition.topic, "\(partition.partition)", partition.leader.text, "\(partition.leaderEpoch)",
                partition.replicas.text, partition.inSyncReplicas.text,
            ])
        }
        lines += ["", table.description]
        return lines.joined(separator: "\n")
    }
}
