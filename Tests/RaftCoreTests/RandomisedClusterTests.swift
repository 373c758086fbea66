import Basics
import Testing

@testable import RaftCore

/// Clusters whose network, disks and nodes misbehave by seed. Safety is checked with every action; afterwards the
/// faults stop and the cluster must elect a leader and commit.
@Suite struct RandomisedClusterTests {
    @Test("three nodes stay safe under faults, and commit when the faults stop", arguments: 0..<60)
    func threeNodes(seed: UInt64) {
        var run = RandomRun(size: 3, seed: seed)
        run.misbehave(rounds: 600)
        run.recover()
        let violations = run.cluster.checker.violations
        #expect(violations == [])
        let isConverged = run.isConverged
        #expect(isConverged, "\(run.summary)")
    }

    @Test("five nodes stay safe under faults, and commit when the faults stop", arguments: 1_000..<1_040)
    func fiveNodes(seed: UInt64) {
        var run = RandomRun(size: 5, seed: seed)
        run.misbehave(rounds: 600)
        run.recover()
        let violations = run.cluster.checker.violations
        #expect(violations == [])
        let isConverged = run.isConverged
        #expect(isConverged, "\(run.summary)")
    }

    @Test("the faults do happen: over all seeds, logs are cut, reads are made, disks fail and many terms pass")
    func coverage() {
        var seen: [String: Int] = [:]
        var terms: UInt64 = 0
        for seed in 0..<20 as Range<UInt64> {
            var run = RandomRun(size: 3, seed: seed)
            let counter = Counter()
            run.cluster.trace = { counter.count($0) }
            run.misbehave(rounds: 600)
            seen.merge(counter.seen) { $0 + $1 }
            terms += run.cluster.ids.map { run.cluster.nodes[$0]!.core.status.term.rawValue }.max() ?? 0
        }
        let words = ["truncate", "read for", "commit", "conflict", "is leader", "leadership verified", "crash", "fail"]
        for word in words {
            #expect(seen[word, default: 0] >= 20, "\(word): \(seen)")
        }
        #expect(terms > 60)
    }

    private final class Counter {
        var seen: [String: Int] = [:]
        func count(_ line: String) {
            for word in ["truncate", "read for", "commit through", "conflict", "is leader", "leadership verified"]
            where line.contains(word) {
                seen[word == "commit through" ? "commit" : word, default: 0] += 1
            }
            if line.hasPrefix("! ") { seen[String(line.dropFirst(2)), default: 0] += 1 }
        }
    }
}

/// One seeded run. How often each fault happens is itself drawn, so that seeds differ in kind and not only in order.
private struct RandomRun {
    var cluster: Cluster
    private var random: RandomSource
    private let lossPercent: Int
    private let copyPercent: Int
    private let reorderPercent: Int
    private let syncPercent: Int
    private let crashPerMille: Int
    private var cut: Set<[NodeID]> = []
    private var verifications: UInt64 = 0

    init(size: Int, seed: UInt64) {
        var random = RandomSource(seed: seed).fork("run")
        lossPercent = [0, 2, 10, 25].randomElement(using: &random)!
        copyPercent = [0, 5, 20].randomElement(using: &random)!
        reorderPercent = [0, 5, 50].randomElement(using: &random)!
        syncPercent = [8, 40, 90].randomElement(using: &random)!
        crashPerMille = [0, 5, 20].randomElement(using: &random)!
        let tailBytesMax = [500, 2_000, 1 << 20].randomElement(using: &random)!
        let inflightBytesMax = [400, 4_000, 1 << 20].randomElement(using: &random)!
        cluster = Cluster(size: size, seed: seed) {
            $0.electionTimeout = .milliseconds(150)
            $0.heartbeatInterval = .milliseconds(30)
            $0.tailBytesMax = tailBytesMax
            $0.inflightBytesMax = inflightBytesMax
            $0.appendBytesMax = 300
            $0.storageStallTimeout = .seconds(2)
        }
        self.random = random
    }

    /// Each round is some milliseconds in which anything may happen to anybody.
    mutating func misbehave(rounds: Int) {
        for _ in 0..<rounds where cluster.checker.violations.isEmpty {
            tick(by: Int64(random.next() % 30))
            deliverSome()
            for id in cluster.ids where cluster.nodes[id]!.isUp {
                if chance(perMille: syncPercent * 10) { cluster.persist(id) }
                if chance(perMille: syncPercent * 10) { cluster.sync(id, writes: Int(random.next() % 4) + 1) }
                if chance(perMille: syncPercent * 10) { cluster.notify(id) }
                if chance(perMille: 500) { cluster.answerReads(id, failing: chance(perMille: 100)) }
            }
            let id = cluster.ids.randomElement(using: &random)!
            if chance(perMille: 300) { propose(chance(perMille: 700) ? leader ?? id : id) }
            disturb(id)
        }
    }

    /// The faults stop, everybody comes back, and time passes in small steps.
    mutating func recover() {
        cut = []
        for id in cluster.ids where !cluster.nodes[id]!.isUp || cluster.nodes[id]!.core.isHalted {
            cluster.crash(id)
            cluster.restart(id)
        }
        for round in 0..<300 where cluster.checker.violations.isEmpty {
            tick(by: 20)
            if round == 200, let leader { cluster.propose(leader, [ProposedBlock(count: 1, bytes: 100)]) }
            settle()
            settle()
        }
    }

    private mutating func settle() {
        var deliveries = 0
        while !cluster.network.isEmpty, deliveries < 10_000 {
            cluster.deliver(at: 0)
            deliveries += 1
        }
        for id in cluster.ids {
            cluster.persist(id)
            cluster.sync(id)
            cluster.notify(id)
            cluster.answerReads(id)
        }
    }

    /// One that leads; there may be others, of older terms.
    var leader: NodeID? { cluster.ids.first { cluster.nodes[$0]!.isLeader } }

    /// A leader of this term, one log everywhere, all of it committed, and something committed at all.
    var isConverged: Bool {
        guard let leader else { return false }
        let log = cluster.nodes[leader]!.log
        return !log.isEmpty
            && cluster.nodes.values.allSatisfy {
                $0.log == log && $0.core.commitIndex == log.last?.info.last && $0.core.flushedIndex == $0.core.lastIndex
            }
    }

    var summary: String {
        cluster.ids.map { id in
            let core = cluster.nodes[id]!.core
            return "\(id): \(core.status), last \(core.lastIndex), commit \(core.commitIndex), \(core.peers)"
        }.joined(separator: "\n")
    }

    // MARK: What happens

    private mutating func tick(by milliseconds: Int64) {
        cluster.now = cluster.now + .milliseconds(milliseconds)
        for id in cluster.ids where cluster.nodes[id]!.isUp { cluster.step(id, .tick) }
    }

    private mutating func deliverSome() {
        for _ in 0..<(cluster.network.count * 2 / 3 + 1) where !cluster.network.isEmpty {
            let isReordered = chance(perMille: reorderPercent * 10)
            let place = isReordered ? Int(random.next() % UInt64(cluster.network.count)) : 0
            let envelope = cluster.network[place]
            if cut.contains([envelope.from, envelope.to]) || chance(perMille: lossPercent * 10) {
                cluster.network.remove(at: place)
            } else {
                cluster.deliver(at: place, copy: chance(perMille: copyPercent * 10))
            }
        }
        // A queue that only grows would be a test of the queue.
        if cluster.network.count > 300 { cluster.network.removeFirst(100) }
    }

    private mutating func propose(_ id: NodeID) {
        guard cluster.nodes[id]!.isUp else { return }
        let count = Int(random.next() % 3) + 1
        let blocks = (0..<count).map { _ in
            ProposedBlock(count: Int(random.next() % 4) + 1, bytes: Int(random.next() % 200) + 1)
        }
        cluster.propose(id, blocks)
    }

    private mutating func disturb(_ id: NodeID) {
        guard cluster.nodes[id]!.isUp else {
            if chance(perMille: 100) { cluster.restart(id) }
            return
        }
        if chance(perMille: crashPerMille) {
            cluster.note("! crash")
            cluster.crash(id, keepingWrites: Int(random.next() % 4), persists: Int(random.next() % 2))
            return
        }
        switch random.next() % 40 {
        case 0 where chance(perMille: crashPerMille * 20):
            cluster.note("! fail")
            cluster.failDisk(id)
        case 1:
            cluster.step(id, .disconnected(cluster.ids.randomElement(using: &random)!))
        case 2...4:
            verifications += 1
            cluster.step(id, .verifyLeader(id: verifications))
        case 5 where chance(perMille: 500):
            // Both ways around one node, preferably the leader, or one way on one link.
            if chance(perMille: 700) {
                isolate(leader ?? id)
            } else {
                cut.insert([id, cluster.ids.randomElement(using: &random)!])
            }
        case 6 where chance(perMille: 700):
            cut.removeAll()
        case 7...8:
            cluster.step(id, .announceCommit)
        default:
            break
        }
        if cluster.nodes[id]!.core.isHalted, chance(perMille: 50) {
            cluster.crash(id)
            cluster.restart(id)
        }
    }

    private mutating func isolate(_ id: NodeID) {
        for other in cluster.ids { cut.formUnion([[id, other], [other, id]]) }
    }

    private mutating func chance(perMille: Int) -> Bool { Int(random.next() % 1_000) < perMille }
}
