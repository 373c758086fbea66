import Basics
import NIOCore
import Raft
import RaftCore
import SegmentLog

/// A state machine that keeps what it was given, and answers each command with how many came before it.
///
/// Owner: the node it is given to.
final class RecordingMachine: FSM {
    struct Applied: Hashable {
        var index: LogIndex
        var term: Term
        var text: String
    }

    private(set) var applied: [Applied] = []
    /// Entries in each block.
    private(set) var blocks: [Int] = []

    var texts: [String] { applied.map(\.text) }

    func apply(_ block: CommittedBlock, responses: inout [Int]) {
        blocks.append(block.entries.count)
        for entry in block.entries {
            responses.append(applied.count)
            guard entry.type == .command, let payload = block.payload else { continue }
            applied.append(
                Applied(index: entry.index, term: block.term, text: String(buffer: entry.payload(in: payload))))
        }
    }
}

/// A state machine that reads heads alone.
final class HeadMachine: FSM {
    static let readsPayloads = false
    private(set) var heads: [String] = []
    private(set) var hasSeenPayload = false

    func apply(_ block: CommittedBlock, responses: inout [Int]) {
        if block.payload != nil { hasSeenPayload = true }
        for entry in block.entries {
            if entry.type == .command { heads.append(String(buffer: entry.head)) }
            responses.append(heads.count)
        }
    }
}
