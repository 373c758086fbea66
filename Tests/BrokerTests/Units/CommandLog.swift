import Basics
import NIOCore
import Raft
import SegmentLog

@testable import Broker

/// A committed log for one state machine: gives every command the next index and applies it, one entry a block.
///
/// Owner: a test.
struct CommandLog {
    private let encoder = BlockEncoder()
    private(set) var lastIndex = LogIndex.zero
    var term = Term(1)
    /// Index of the first entry of the segment that is written.
    var segment = LogIndex(1)

    /// Begins a new segment: the one before it is sealed with the next command.
    mutating func roll() { segment = lastIndex.next }

    /// Applies one command as the next entry.
    mutating func apply(_ command: Command, payloadBytes: Int = 100, to machine: TopicsFSM) -> CommandResult {
        apply([(command, payloadBytes)], to: machine)[0]
    }

    /// Applies several commands in one block.
    mutating func apply(_ commands: [(Command, payloadBytes: Int)], to machine: TopicsFSM) -> [CommandResult] {
        let entries = commands.map { command, bytes in
            Entry(head: command.encoded(), payload: ByteBuffer(repeating: 7, count: bytes))
        }
        let base = lastIndex.next
        lastIndex = lastIndex + entries.count
        let block = encoder.encode(entries, shard: machine.shard, compression: .off)
            .stamp(base: base, term: term, segment: segment)
        var responses: [CommandResult] = []
        machine.apply(
            CommittedBlock(term: term, segment: segment, entries: block.entries, payload: nil), responses: &responses)
        return responses
    }
}

extension ProduceCommand {
    /// A batch of records from no idempotent producer unless one is given.
    static func sample(
        _ partition: PartitionKey, count: Int32 = 1, maxTimestamp: Milliseconds = 0,
        producer: ByteBuffer.Producer? = nil, at time: Milliseconds = 0
    ) -> ProduceCommand {
        ProduceCommand(
            partition: partition, recordCount: count, maxTimestamp: maxTimestamp, producerID: producer?.id ?? -1,
            producerEpoch: producer?.epoch ?? -1, baseSequence: producer?.sequence ?? -1, proposedAt: time)
    }
}
