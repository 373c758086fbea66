import Basics
import Broker
import RaftCore
import SegmentLog

/// Watches every shard on every broker, after each step of a process: the safety properties of Raft (paper, figure 3).
///
/// Owner: the `Experiment`. Keeps the header of every block applied anywhere: some 60 bytes each, for one world.
final class ShardChecker {
    /// What one life of a broker has shown of a shard.
    private struct Seen {
        var term = Term.zero
        var commitIndex = LogIndex.zero
        var appliedIndex = LogIndex.zero
    }

    private unowned let world: World
    /// Who led each term of each shard.
    private var leaders: [[Term: NodeID]]
    /// The header, with its checksums, of every block that any broker applied.
    private(set) var applied: [[LogIndex: BlockHeader]]
    private(set) var appliedIndex: [LogIndex]
    private var seen: [NodeID: (life: Life, shards: [Seen])] = [:]

    init(_ world: World) {
        self.world = world
        let shards = world.options.shardCount
        leaders = Array(repeating: [:], count: shards)
        applied = Array(repeating: [:], count: shards)
        appliedIndex = Array(repeating: .zero, count: shards)
    }

    /// Terms that had a leader, of all shards.
    var elections: Int { leaders.reduce(0) { $0 + $1.count } }

    func observe(_ life: Life) {
        guard let node = world.brokers.first(where: { $0.life === life }), let broker = node.broker else { return }
        if seen[node.id]?.life !== life {
            seen[node.id] = (life, Array(repeating: Seen(), count: world.options.shardCount))
        }
        for (shard, report) in broker.shardReports.enumerated() { observe(report, shard, node) }
    }

    private func observe(_ report: ShardReport, _ shard: Int, _ node: SimulatedBroker) {
        guard let before = seen[node.id]?.shards[shard] else { return }
        let who = "broker \(node.id), shard \(shard)"
        if report.status.term < before.term {
            world.fail("\(who): term \(report.status.term) after \(before.term)")
        }
        if report.commitIndex < before.commitIndex {
            world.fail("\(who): commit index \(report.commitIndex) after \(before.commitIndex)")
        }
        if report.appliedIndex < before.appliedIndex || report.appliedIndex > report.commitIndex {
            world.fail(
                "\(who): applied \(report.appliedIndex), \(before.appliedIndex) before, of \(report.commitIndex)")
        }
        if report.pendingBytes > world.options.pendingBytes {
            world.fail("\(who): \(report.pendingBytes) bytes wait, more than the bound")
        }
        if report.status.role == .leader { observeLeader(report, shard, node) }
        if report.appliedIndex > before.appliedIndex {
            observeApplied(before.appliedIndex.next, report.appliedIndex, shard, node)
        }
        seen[node.id]?.shards[shard] = Seen(
            term: report.status.term, commitIndex: report.commitIndex, appliedIndex: report.appliedIndex)
    }

    private func observeLeader(_ report: ShardReport, _ shard: Int, _ node: SimulatedBroker) {
        if let other = leaders[shard][report.status.term] {
            if other != node.id {
                world.fail("shard \(shard), term \(report.status.term): brokers \(other) and \(node.id) lead")
            }
            return
        }
        leaders[shard][report.status.term] = node.id
        world.tell("broker \(node.id) leads shard \(shard) in term \(report.status.term)")
        // Leader completeness: what is committed stands in the log of every later leader.
        let isNewest = !leaders[shard].keys.contains { $0 > report.status.term }
        if isNewest, report.lastIndex < appliedIndex[shard] {
            world.fail(
                "shard \(shard), term \(report.status.term): leader \(node.id) has entries up to \(report.lastIndex) "
                    + "of \(appliedIndex[shard]) committed")
        }
    }

    private func observeApplied(_ first: LogIndex, _ last: LogIndex, _ shard: Int, _ node: SimulatedBroker) {
        var next = first
        while next <= last {
            // What a start applies from disk is compared at the end.
            guard let block = node.logs[shard].block(containing: next) else { break }
            check(block.header, shard, "broker \(node.id)")
            next = block.last.next
        }
        appliedIndex[shard] = max(appliedIndex[shard], last)
    }

    /// State machine safety: at one index, one block, for ever and everywhere.
    func check(_ header: BlockHeader, _ shard: Int, _ who: String) {
        if let known = applied[shard][header.base] {
            if known != header {
                world.fail("\(who), shard \(shard): block \(header.base) is \(header), elsewhere \(known)")
            }
        } else {
            applied[shard][header.base] = header
        }
    }
}
