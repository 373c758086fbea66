import Basics
import Broker
import NIOCore
import Raft
import RaftCore
import SegmentLog

/// The core of a leader of three, whose followers answer at once.
private struct LeadingCore {
    private static let followers = [NodeID(2), NodeID(3)]
    private var core: Core
    private var now = Instant(nanoseconds: 0)
    private var actions: [Action] = []
    private var flushedEpoch: StorageEpoch = 0

    init() {
        let configuration = CoreConfiguration(id: NodeID(1), voters: [NodeID(1)] + Self.followers)
        core = Core(configuration, hardState: HardState(), log: RecoveredLog(), seed: 1, now: now)
        while core.status.role != .leader {
            now.nanoseconds += 100_000_000
            step(.tick)
        }
        propose(ProposedBlock(count: 1, bytes: 100))
    }

    /// Proposes, flushes, hears of the followers' flushes: the block is committed.
    mutating func propose(_ block: ProposedBlock) {
        now.nanoseconds += 1_000
        step(.propose([block]))
    }

    private mutating func step(_ event: Event) {
        var done: [Action] = []
        core.step(event, now: now, into: &done)
        for action in done { react(to: action) }
    }

    private mutating func react(to action: Action) {
        switch action {
        case .persist(let state):
            step(.persisted(state))
        case .appendProposed(let epoch, let blocks):
            if let last = blocks.last?.last { step(.flushed(epoch: epoch, through: last)) }
        case .proposeNoop:
            step(.propose([ProposedBlock(count: 1, bytes: 0)]))
        case .send(let peer, let message):
            if let answer = answer(to: message) { step(.message(from: peer, answer)) }
        default:
            break
        }
    }

    private func answer(to message: Message) -> Message? {
        switch message {
        case .preVoteRequest(let request): .preVoteResponse(VoteResponse(term: request.term, granted: true))
        case .voteRequest(let request): .voteResponse(VoteResponse(term: request.term, granted: true))
        case .appendRequest(let request):
            .appendResponse(
                AppendResponse(
                    term: request.term, epoch: request.epoch, round: request.round,
                    outcome: .matched(flushed: request.lastIndex)))
        default: nil
        }
    }
}

extension Samples {
    /// A block of produce commands for that many partitions.
    static func commandBlock(partitions: Int) -> Block {
        let entries = (0..<partitions).map { partition in
            // A produce command as `Command` describes its bytes, of a producer that is not idempotent.
            var head = ByteBuffer()
            head.writeMultipleIntegers(
                UInt8(1), PartitionKey(TopicNumber(1), Int32(partition)).rawValue, Int32(recordsPerBatch), Int64(0),
                Int64(-1), Int16(-1), Int32(-1), Int64(0), endianness: .little)
            return Entry(head: head, payload: ByteBuffer(repeating: 0, count: 100))
        }
        return BlockEncoder().encode(entries, shard: ShardID(1), compression: .off)
            .stamp(base: LogIndex(1), term: Term(1), segment: LogIndex(1))
    }
}

extension MicroCase {
    static let stateCases = [
        MicroCase("core: propose and commit a block") {
            var core = LeadingCore()
            return { core.propose(ProposedBlock(count: 14, bytes: 256 << 10)) }
        },
        MicroCase("topics: apply a block of 14 batches") {
            let block = Samples.commandBlock(partitions: 14)
            let machine = TopicsFSM(shard: ShardID(1))
            var responses: [CommandResult] = []
            return {
                responses.removeAll(keepingCapacity: true)
                machine.apply(
                    CommittedBlock(term: Term(1), segment: LogIndex(1), entries: block.entries, payload: nil),
                    responses: &responses)
            }
        },
    ]
}
