import Basics
import RaftCore
import SegmentLog

/// Log matching (Raft paper figure 3): entries of one index and term have the same history on every broker, committed
/// or not. Each block is linked to its predecessor by a hash, so that one comparison speaks for all that lies before.
///
/// Owner: the `Experiment`. Keeps 40 bytes for each block on each broker.
final class LogMatchingChecker {
    private struct Link {
        let last: LogIndex
        let term: Term
        let checksum: UInt32
        /// Follows from this block and all before it.
        let history: UInt64
    }

    private struct Position: Hashable {
        let shard: Int
        let last: LogIndex
        let term: Term
    }

    private unowned let world: World
    private var histories: [Position: (hash: UInt64, of: NodeID)] = [:]
    /// What each broker's log held when it was last seen, of whatever life.
    private var logs: [NodeID: [[Link]]] = [:]
    private var lives: [NodeID: Life] = [:]

    init(_ world: World) { self.world = world }

    func observe(_ node: SimulatedBroker) {
        var shards = logs.removeValue(forKey: node.id) ?? Array(repeating: [], count: world.options.shardCount)
        let hasStarted = lives[node.id] !== node.life
        lives[node.id] = node.life
        for (shard, log) in node.logs.enumerated() {
            if hasStarted { cut(&shards[shard], toWhatStartedWith: log) }
            follow(log, &shards[shard], shard, node.id)
        }
        logs[node.id] = shards
    }

    /// The disk was replaced by an empty one.
    func forget(_ id: NodeID) { logs[id] = nil }

    /// A start may find less than there was, and of other terms if a truncation had not reached the disk.
    private func cut(_ links: inout [Link], toWhatStartedWith log: SegmentLog) {
        links.removeAll { $0.last > log.lastIndex || log.term(at: $0.last) != $0.term }
    }

    private func follow(_ log: SegmentLog, _ links: inout [Link], _ shard: Int, _ id: NodeID) {
        if let end = links.last, end.last == log.lastIndex, end.term == log.lastTerm { return }
        while let end = links.last, isGone(end, from: log) { links.removeLast() }
        var next = (links.last?.last ?? .zero).next
        while next <= log.lastIndex, let block = log.block(containing: next), block.base == next {
            let before = links.last?.history ?? 0xCBF2_9CE4_8422_2325
            let link = Link(
                last: block.last, term: block.term, checksum: block.header.headerChecksum,
                history: (before ^ UInt64(block.header.headerChecksum)) &* 0x0000_0100_0000_01B3 ^ block.last.rawValue)
            links.append(link)
            compare(link, shard, id)
            next = block.last.next
        }
    }

    private func isGone(_ link: Link, from log: SegmentLog) -> Bool {
        if link.last > log.lastIndex { return true }
        guard let block = log.block(containing: link.last) else { return false }
        return block.last != link.last || block.header.headerChecksum != link.checksum
    }

    private func compare(_ link: Link, _ shard: Int, _ id: NodeID) {
        let position = Position(shard: shard, last: link.last, term: link.term)
        guard let known = histories[position] else { return histories[position] = (link.history, id) }
        if known.hash != link.history {
            world.fail(
                "shard \(shard): the logs of brokers \(known.of) and \(id) agree at entry \(link.last) of term "
                    + "\(link.term) and not before it")
        }
    }
}
