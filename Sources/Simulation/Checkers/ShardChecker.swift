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

    /// How long after its lease has ended a leader may take to notice: its timers, and what it is busy with.
    private static let leaseSlack = TimeSpan.milliseconds(500)

    private unowned let world: World
    private let promises: PromiseChecker
    private let electionTimeout: TimeSpan
    /// How far each broker's logs are on its disk, as it said last, of whatever life.
    private var flushed: [NodeID: [LogIndex]] = [:]
    /// Since when each shard's present leader leads.
    private var leaderSince: [[Term: Instant]]
    /// Who led each term of each shard.
    private var leaders: [[Term: NodeID]]
    /// The header, with its checksums, of every block that any broker applied.
    private(set) var applied: [[LogIndex: BlockHeader]]
    /// The newest block that any broker applied, in each shard.
    private var newestApplied: [BlockHeader?]
    private var seen: [NodeID: (life: Life, shards: [Seen])] = [:]

    init(_ world: World, promises: PromiseChecker) {
        self.world = world
        self.promises = promises
        electionTimeout = CoreConfiguration(id: NodeID(1), voters: []).electionTimeout
        let shards = world.options.shardCount
        leaderSince = Array(repeating: [:], count: shards)
        leaders = Array(repeating: [:], count: shards)
        applied = Array(repeating: [:], count: shards)
        newestApplied = Array(repeating: nil, count: shards)
    }

    /// Terms that had a leader, of all shards.
    var elections: Int { leaders.reduce(0) { $0 + $1.count } }

    func observe(_ node: SimulatedBroker) {
        guard let broker = node.broker else { return }
        if seen[node.id]?.life !== node.life {
            seen[node.id] = (node.life, Array(repeating: Seen(), count: world.options.shardCount))
        }
        for (shard, report) in broker.shardReports.enumerated() { observe(report, shard, node) }
    }

    private func observe(_ report: ShardReport, _ shard: Int, _ node: SimulatedBroker) {
        guard let before = seen[node.id]?.shards[shard] else { return }
        // Only a violation is worth a string: this runs after every event of the world.
        var who: String { "broker \(node.id), shard \(shard)" }
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
        if report.flushedIndex > node.logs[shard].flushedIndex {
            world.fail("\(who): takes \(report.flushedIndex) for flushed, the log has \(node.logs[shard].flushedIndex)")
        }
        if report.pendingBytes > world.options.pendingBytes {
            world.fail("\(who): \(report.pendingBytes) bytes wait, more than the bound")
        }
        flushed[node.id, default: Array(repeating: .zero, count: leaders.count)][shard] = report.flushedIndex
        if report.status.role == .leader {
            observeLeader(report, shard, node)
            if report.commitIndex > before.commitIndex { observeCommit(report, shard, node) }
        }
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
            return observeLease(report, shard, node)
        }
        leaders[shard][report.status.term] = node.id
        leaderSince[shard][report.status.term] = world.scheduler.now
        world.tell("broker \(node.id) leads shard \(shard) in term \(report.status.term)")
        world.onElection?()
        // Leader completeness: what is committed stands in the log of every later leader.
        let isNewest = !leaders[shard].keys.contains { $0 > report.status.term }
        guard isNewest, let committed = newestApplied[shard] else { return }
        let term = node.logs[shard].term(at: committed.last)
        if report.lastIndex < committed.last || term != committed.term {
            world.fail(
                "shard \(shard), term \(report.status.term): leader \(node.id) has entries up to \(report.lastIndex), "
                    + "\(committed.last) of term \(committed.term) is committed and \(term ?? .zero) there")
        }
    }

    /// A leader that a quorum no longer answers steps down (thesis §6.2): another one may lead by now.
    private func observeLease(_ report: ShardReport, _ shard: Int, _ node: SimulatedBroker) {
        let since = leaderSince[shard][report.status.term] ?? .zero
        let contact = max(promises.quorumContact(of: node.id, shard: shard) ?? since, since, node.life.pausedUntil)
        if world.scheduler.now - contact > electionTimeout + Self.leaseSlack {
            world.fail(
                "shard \(shard), term \(report.status.term): broker \(node.id) leads, though no quorum has answered "
                    + "for \(world.scheduler.now - contact)")
        }
    }

    /// What a leader commits is on the disks of a quorum, and the last of it is of its own term (paper §5.4.2).
    private func observeCommit(_ report: ShardReport, _ shard: Int, _ node: SimulatedBroker) {
        let copies = world.brokers.filter { flushed[$0.id]?[shard] ?? .zero >= report.commitIndex }.count
        if copies <= world.brokers.count / 2 {
            world.fail("shard \(shard): \(report.commitIndex) is committed and on \(copies) disks")
        }
        let term = node.logs[shard].term(at: report.commitIndex)
        if term != report.status.term {
            world.fail(
                "shard \(shard): the leader of term \(report.status.term) commits \(report.commitIndex) of term "
                    + "\(term ?? .zero)")
        }
    }

    /// The disk was replaced by an empty one.
    func forget(_ id: NodeID) { flushed[id] = nil }

    private func observeApplied(_ first: LogIndex, _ last: LogIndex, _ shard: Int, _ node: SimulatedBroker) {
        var next = first
        while next <= last {
            // What a start applies from disk is compared at the end.
            guard let block = node.logs[shard].block(containing: next) else { break }
            check(block.header, shard, "broker \(node.id)")
            if block.last > newestApplied[shard]?.last ?? .zero { newestApplied[shard] = block.header }
            next = block.last.next
        }
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
