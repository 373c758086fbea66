import Basics
import Foundation
import MartletClient
import NIOCore
import SegmentLog

/// What happens in a demo, in order.
///
/// Owner: `DemoCommand`, one task; the producers it starts share nothing but the ledger.
final class DemoStory {
    static let topic = "events"

    private let corpus: DemoCorpus
    private let cluster: DemoCluster
    private let producerCount: Int
    private let partitionCount: Int
    private let ledger: DemoLedger

    init(corpus: DemoCorpus, cluster: DemoCluster, producerCount: Int, partitionCount: Int) {
        self.corpus = corpus
        self.cluster = cluster
        self.producerCount = producerCount
        self.partitionCount = partitionCount
        ledger = DemoLedger(partitionCount: partitionCount)
    }

    func run() async throws -> DemoReport {
        DemoConsole.line("Starting three brokers, data in \(cluster.directory)/")
        try cluster.start()
        let admin = Admin(cluster.client)
        try await createTopic(admin)
        DemoConsole.line(
            "Writing \(DemoConsole.count(corpus.count)) records to \(partitionCount) partitions, three replicas, "
                + "\(producerCount) producers; every acknowledgement means: flushed to disk on two brokers or more")
        let start = ContinuousClock.now
        let latencies = try await write(admin)
        let elapsed = ContinuousClock.now - start
        let written = ledger.snapshot
        DemoConsole.line(
            "All \(DemoConsole.count(written.acknowledged)) records acknowledged. Reading them back by offset …")
        var report = DemoReport(
            written: written, expected: corpus.count, elapsed: elapsed, latencies: latencies.sorted())
        let readStart = ContinuousClock.now
        report.reading = try await DemoReading(cluster.client, written).run()
        report.readTime = ContinuousClock.now - readStart
        DemoConsole.line("Waiting until all three logs are complete, then comparing them block by block …")
        await waitForReplicas()
        await admin.close()
        cluster.stop()
        report.replicas = try compareReplicas()
        return report
    }

    private func createTopic(_ admin: Admin) async throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while true {
            do {
                let description = try await admin.describeCluster()
                if description.brokers.count == 3 {
                    try await admin.createTopic(
                        NewTopic(Self.topic, partitions: Int32(partitionCount), replicationFactor: 3))
                    return
                }
            } catch {
                guard ContinuousClock.now < deadline else { throw error }
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    // MARK: Writing

    private func write(_ admin: Admin) async throws -> [Duration] {
        let latencies = try await withThrowingTaskGroup(of: [Duration].self) { group in
            for producer in 0..<producerCount {
                let writer = DemoWriter(
                    number: producer, among: producerCount, corpus: corpus, ledger: ledger, client: cluster.client)
                group.addTask { try await writer.run() }
            }
            try await disturb(admin)
            return try await group.reduce(into: []) { $0 += $1 }
        }
        DemoConsole.clearProgress()
        return latencies
    }

    /// Shows progress; kills the leader at one half, and starts it again at three quarters.
    private func disturb(_ admin: Admin) async throws {
        var killed: BrokerProcess?
        var hasRestarted = false
        let start = ContinuousClock.now
        while ledger.acknowledged < corpus.count, !ledger.hasFailed {
            try await Task.sleep(for: .milliseconds(100))
            let contents = ledger.snapshot
            let rate = Double(contents.bytes) / 1e6 / max(0.001, DemoConsole.seconds(ContinuousClock.now - start))
            let percent = contents.acknowledged * 100 / corpus.count
            let state = hasRestarted ? "back" : "dead"
            let note = killed.map { "broker \($0.id) is \(state)" } ?? "all brokers up"
            DemoConsole.progress(
                "\(percent) %  \(DemoConsole.count(contents.acknowledged)) acknowledged  "
                    + String(format: "%.0f MB/s", rate) + "  \(note)")
            if killed == nil, contents.acknowledged * 2 >= corpus.count {
                killed = try await killLeader(admin)
            } else if let killed, !hasRestarted, contents.acknowledged * 4 >= corpus.count * 3 {
                hasRestarted = true
                try killed.start()
                DemoConsole.line("Broker \(killed.id) was started again on the data it had")
            }
        }
        if let killed, !hasRestarted { try killed.start() }
    }

    private func killLeader(_ admin: Admin) async throws -> BrokerProcess {
        let partitions = try await admin.describeTopic(Self.topic).partitions
        let leader = partitions.first?.leader ?? 1
        let process = cluster.brokers[Int(leader) - 1]
        ledger.leaderWasKilled()
        process.kill()
        DemoConsole.line("Killed broker \(leader), which led all partitions (SIGKILL), after "
            + "\(DemoConsole.count(ledger.acknowledged)) acknowledgements")
        return process
    }

    // MARK: Comparing

    /// Waits until every broker's log ends at the same entry: followers learn and write the rest in the background.
    private func waitForReplicas() async {
        let deadline = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < deadline {
            let ends = cluster.brokers.map { broker in
                (try? cluster.inspector(broker).verify())?.segments.map { "\($0.base)-\($0.last)-\($0.checksum)" }
            }
            if let first = ends.first, let first, !first.isEmpty, ends.allSatisfy({ $0 == first }) { return }
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    private func compareReplicas() throws -> [DemoReplica] {
        try cluster.brokers.map { broker in
            let inspector = cluster.inspector(broker)
            let verification = try inspector.verify()
            var blocks: [BlockHeader] = []
            try inspector.dump { item in
                if case .block(_, let heads) = item { blocks.append(heads.header) }
            }
            return DemoReplica(
                broker: broker.id, verification: verification, blocks: blocks,
                bytesOnDisk: cluster.bytesOnDisk(broker))
        }
    }
}

/// One producer of the demo: sends its share and enters what is acknowledged in the ledger.
struct DemoWriter: Sendable {
    let number: Int
    let among: Int
    let corpus: DemoCorpus
    let ledger: DemoLedger
    let client: KafkaClientConfiguration

    /// Records handed over before their acknowledgements are awaited.
    private static let windowRecords = 4_096

    init(number: Int, among: Int, corpus: DemoCorpus, ledger: DemoLedger, client: KafkaClientConfiguration) {
        self.number = number
        self.among = among
        self.corpus = corpus
        self.ledger = ledger
        self.client = client
    }

    private struct Sent {
        let delivery: Delivery
        let fingerprint: UInt64
        let bytes: Int
        let at: ContinuousClock.Instant
    }

    /// Sends everything; returns the time from handing over to acknowledgement, one for each window's first record.
    func run() async throws -> [Duration] {
        do {
            return try await send()
        } catch {
            ledger.writerFailed()
            throw error
        }
    }

    private func send() async throws -> [Duration] {
        var configuration = ProducerConfiguration()
        configuration.linger = .milliseconds(2)
        let producer = try Producer(client, configuration)
        async let running: Void = producer.run()
        var latencies: [Duration] = []
        var windows: [[Sent]] = [[]]
        try await corpus.forEachRecord(of: number, among: among) { record in
            let at = ContinuousClock.now
            let delivery = try await producer.enqueue(ProducerRecord(topic: DemoStory.topic, value: record))
            windows[windows.count - 1].append(
                Sent(
                    delivery: delivery, fingerprint: DemoLedger.fingerprint(record), bytes: record.readableBytes,
                    at: at))
            guard windows[windows.count - 1].count == Self.windowRecords else { return }
            windows.append([])
            // One window is on its way while the next is filled.
            if windows.count > 2 { latencies.append(try await settle(windows.removeFirst())) }
        }
        for window in windows where !window.isEmpty { latencies.append(try await settle(window)) }
        await producer.close()
        try await running
        return latencies
    }

    /// Awaits a window's acknowledgements and enters them.
    private func settle(_ window: [Sent]) async throws -> Duration {
        var entries: [DemoLedger.Entry] = []
        entries.reserveCapacity(window.count)
        var bytes = 0
        var first: Duration?
        for sent in window {
            let metadata = try await sent.delivery.metadata
            if first == nil { first = ContinuousClock.now - sent.at }
            bytes += sent.bytes
            guard let offset = metadata.offset else { continue }
            entries.append(
                DemoLedger.Entry(partition: metadata.partition, offset: offset, fingerprint: sent.fingerprint))
        }
        ledger.record(entries, bytes: bytes)
        return first ?? .zero
    }
}
