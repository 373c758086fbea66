import Foundation
import Glibc
import KafkaWire
import MartletClient

/// The topic that is measured: its leaders, where they are, and their processes if they run here.
struct BenchTarget: Sendable {
    let topic: String
    /// By partition.
    let leaders: [BrokerAddress]
    let brokerPids: [Int32]

    /// What every broker's topics take without being told (Kafka's default of `max.message.bytes`).
    private static let batchBytesDefault = 1_048_588

    /// Creates the topic if need be.
    ///
    /// - Parameters:
    ///   - partitionsMinimum: how many partitions there must be.
    ///   - batchBytes: of the largest batch that is going to be sent; a new topic is made to take it.
    init(_ options: BenchOptions, _ admin: Admin, partitionsMinimum: Int = 1, batchBytes: Int = 0) async throws {
        topic = options.topic
        let partitions = max(options.partitions ?? Int32(options.connections), Int32(partitionsMinimum))
        let configs = batchBytes > Self.batchBytesDefault ? ["max.message.bytes": "\(batchBytes)"] : [:]
        let new = NewTopic(
            options.topic, partitions: partitions, replicationFactor: options.replicas, configs: configs)
        try await Self.createIfMissing(new, admin)
        let cluster = try await admin.describeCluster()
        let description = try await Self.describeWhenLed(options.topic, admin, options.client.timeout)
        guard description.partitions.count >= partitionsMinimum else {
            let count = description.partitions.count
            throw CommandFailure(
                "topic \(options.topic) has \(count) partitions; this needs \(partitionsMinimum)",
                advice: "Name another topic with --topic.")
        }
        let addresses = Dictionary(cluster.brokers.map { ($0.id, $0.address) }, uniquingKeysWith: { first, _ in first })
        leaders = try description.partitions.map { partition in
            guard let leader = partition.leader, let address = addresses[leader] else {
                throw CommandFailure(
                    "partition \(partition.index) of topic \(options.topic) has no leader",
                    advice: "See 'martlet cluster status'.")
            }
            return address
        }
        let ports = Set(cluster.brokers.filter(\.address.isLocal).compactMap { UInt16(exactly: $0.address.port) })
        brokerPids = options.brokerPid.isEmpty ? ListeningProcesses.find(ports: ports) : options.brokerPid
    }

    private static func createIfMissing(_ topic: NewTopic, _ admin: Admin) async throws {
        do {
            try await admin.createTopic(topic)
        } catch {
            guard error.brokerError == .topicAlreadyExists else { throw error }
        }
    }

    /// A new topic has no leaders for a moment.
    private static func describeWhenLed(
        _ topic: String, _ admin: Admin, _ timeout: Double
    ) async throws -> TopicDescription {
        let deadline = ContinuousClock.now + .seconds(timeout)
        while true {
            do {
                let description = try await admin.describeTopic(topic)
                let isLed = !description.partitions.contains { $0.leader == nil }
                if isLed && !description.partitions.isEmpty || ContinuousClock.now > deadline { return description }
            } catch {
                guard error.code == .unknownTopic, ContinuousClock.now < deadline else { throw error }
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// What one connection serves: partitions of one leader.
    struct Share: Hashable, Sendable {
        var broker: BrokerAddress
        var partitions: [Int32]
    }

    /// Deals the partitions out to connections.
    func shares(connections: Int) -> [Share] { Self.shares(of: leaders, connections: connections) }

    /// Every partition has a connection, so there are at least as many as there are leaders. Connections beyond the
    /// number of a leader's partitions share them.
    ///
    /// - Parameter leaders: by partition.
    static func shares(of leaders: [BrokerAddress], connections: Int) -> [Share] {
        var led: [BrokerAddress: [Int32]] = [:]
        for (partition, leader) in leaders.enumerated() { led[leader, default: []].append(Int32(partition)) }
        let brokers = led.keys.sorted { led[$0, default: []][0] < led[$1, default: []][0] }
        let count = max(connections, brokers.count)
        return (0..<count).map { connection in
            let broker = brokers[connection % brokers.count]
            let partitions = led[broker, default: []]
            let peers = (count - 1 - connection % brokers.count) / brokers.count + 1
            let place = connection / brokers.count
            let own = stride(from: place % partitions.count, to: partitions.count, by: peers).map { partitions[$0] }
            return Share(broker: broker, partitions: own)
        }
    }

    /// What the brokers' processes have used so far.
    func usage() -> [ProcessUsage] { brokerPids.compactMap { ProcessUsage(pid: $0) } }
}

extension BrokerAddress {
    /// Whether it can only be this machine.
    var isLocal: Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("127.") || host == BrokerAddress.hostName
    }

    private static let hostName: String = {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }()
}
