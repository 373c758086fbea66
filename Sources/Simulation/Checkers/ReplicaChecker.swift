import Basics
import Broker
import SegmentLog

/// Compares the replicas when nothing moves any more: state machines, logs block by block, sealed segments by bytes.
///
/// Owner: the `Experiment`.
final class ReplicaChecker {
    private unowned let world: World
    private let shards: ShardChecker
    /// Logs not read to their end yet.
    private var reading = 0

    init(_ world: World, shards: ShardChecker) {
        self.world = world
        self.shards = shards
    }

    var isReading: Bool { reading > 0 }

    /// Whether every broker runs and has applied all there is.
    var hasConverged: Bool {
        let reports = world.brokers.compactMap { $0.broker?.shardReports }
        guard reports.count == world.brokers.count else { return false }
        return (0..<world.options.shardCount).allSatisfy { shard in
            let leaderCount = reports.filter { $0[shard].isServing }.count
            return leaderCount == 1 && reports.allSatisfy {
                $0[shard].appliedIndex == reports[0][shard].lastIndex && $0[shard].lastIndex == $0[shard].flushedIndex
            }
        }
    }

    func compareStates() {
        for shard in 0..<world.options.shardCount {
            let digests = world.brokers.compactMap { node in
                node.broker.map { (node.id, $0.stateDigest(of: ShardID(UInt16(shard)))) }
            }
            for (id, digest) in digests where digest != digests[0].1 {
                world.fail("shard \(shard): the state machines of brokers \(digests[0].0) and \(id) differ")
            }
        }
    }

    /// No broker keeps the state of partitions whose topics are gone.
    func forgetsDeletedTopics(partitionCount: Int) -> Bool {
        world.brokers.allSatisfy { node in
            node.reports.reduce(0) { $0 + $1.partitionCount } <= partitionCount
        }
    }

    /// The index of each log is what its segments say: a start that has no sidecar finds the same as one that has.
    func compareIndices() {
        for node in world.brokers {
            for shard in 0..<world.options.shardCount {
                do {
                    let bare = node.files.copy()
                    for name in try bare.list("/shard-\(shard)") where name.hasSuffix(".index") {
                        try bare.unlink("/shard-\(shard)/\(name)")
                    }
                    let scanned = try node.openCopy(of: shard, disk: bare)
                    let indexed = try node.openCopy(of: shard, disk: node.files.copy())
                    guard scanned.recovery.blocks == indexed.recovery.blocks, scanned.lastIndex == indexed.lastIndex,
                        scanned.recovery.bytes == indexed.recovery.bytes,
                        scanned.termStarts.elementsEqual(indexed.termStarts, by: ==)
                    else { return world.fail("broker \(node.id), shard \(shard): sidecars differ from their segments") }
                } catch {
                    world.fail("broker \(node.id), shard \(shard): \(error)")
                }
            }
        }
    }

    /// Compares every block on every disk with what was applied. Takes simulated time: see `isReading`.
    func compareLogs() {
        for node in world.brokers {
            for (shard, log) in node.logs.enumerated() where log.lastIndex >= log.firstIndex {
                reading += 1
                read(log, from: log.firstIndex, shard, node)
            }
        }
    }

    private func read(_ log: SegmentLog, from index: LogIndex, _ shard: Int, _ node: SimulatedBroker) {
        log.read(from: index, maxBytes: 1.mebibytes) { [weak self] result in
            guard let self else { return }
            switch result {
            case .failure(let error):
                reading -= 1
                world.fail("broker \(node.id), shard \(shard): the log cannot be read at \(index): \(error)")
            case .success(let blocks):
                for block in blocks { shards.check(block.header, shard, "the disk of broker \(node.id)") }
                guard let last = blocks.last?.last, last < log.lastIndex else {
                    reading -= 1
                    return
                }
                read(log, from: last.next, shard, node)
            }
        }
    }

    func compareSegments() {
        for shard in 0..<world.options.shardCount {
            var known: [String: (id: NodeID, content: [UInt8])] = [:]
            for node in world.brokers {
                for name in sealedFiles(of: node, shard) {
                    guard let content = node.files.content("/shard-\(shard)/\(name)") else { continue }
                    if let other = known[name], other.content != content {
                        world.fail("shard \(shard): \(name) differs between brokers \(other.id) and \(node.id)")
                    }
                    known[name] = (node.id, content)
                }
            }
        }
    }

    private func sealedFiles(of node: SimulatedBroker, _ shard: Int) -> [String] {
        do {
            return try node.files.list("/shard-\(shard)").filter { $0.hasSuffix(".log") }.sorted().dropLast()
        } catch {
            world.fail("broker \(node.id): \(error)")
            return []
        }
    }
}
