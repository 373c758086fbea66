import Basics
import RaftCore

/// The properties of Raft (paper figure 3), checked against everything every node ever does.
struct SafetyChecker {
    private struct Position: Hashable {
        var index: LogIndex
        var term: Term
    }

    private var leaders: [Term: NodeID] = [:]
    /// The hash of the whole log up to a block, by the block's place. Equal places must have equal pasts.
    private var pasts: [Position: UInt64] = [:]
    /// The committed blocks, in order, as the first node to commit them had them.
    private(set) var committed: [StoredBlock] = []
    private(set) var violations: [String] = []

    var committedIndex: LogIndex { committed.last?.info.last ?? .zero }

    mutating func fail(_ text: String) { violations.append(text) }

    /// Election Safety, and Leader Completeness.
    mutating func elected(_ node: NodeID, term: Term, log: [StoredBlock]) {
        if let other = leaders.updateValue(node, forKey: term), other != node {
            fail("term \(term) is led by \(other) and by \(node)")
        }
        if !log.starts(with: committed) {
            let place = zip(log, committed).prefix { $0 == $1 }.count
            fail("leader \(node) of term \(term) lacks \(committed[place]), has \(log[place...].first as Any)")
        }
    }

    /// Log Matching: called with the whole log whenever its end changed.
    mutating func appended(_ node: NodeID, log: [StoredBlock], from start: Int) {
        var past = start > 0 ? pasts[position(log[start - 1])] ?? 0 : 0
        for block in log[start...] {
            past = (past ^ block.content) &* 0x9E37_79B9_7F4A_7C15
            past ^= past >> 29
            let known = pasts.updateValue(past, forKey: position(block))
            if let known, known != past {
                fail("node \(node): another past at \(block.info.base) of term \(block.info.term)")
            }
        }
    }

    /// State Machine Safety.
    mutating func committed(_ node: NodeID, log: [StoredBlock], after start: LogIndex, through index: LogIndex) {
        guard let last = log.lastIndex(where: { $0.info.last <= index }), log[last].info.last == index else {
            return fail("node \(node) commits \(index), which ends no block of its log")
        }
        let first = log[...last].lastIndex { $0.info.last <= start }.map { $0 + 1 } ?? 0
        for place in first...last {
            if place == committed.count {
                committed.append(log[place])
            } else if place > committed.count || log[place] != committed[place] {
                fail("node \(node) commits \(log[place]), which is not what was committed there")
            }
        }
    }

    private func position(_ block: StoredBlock) -> Position {
        Position(index: block.info.last, term: block.info.term)
    }
}
