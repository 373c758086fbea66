import Basics
import KafkaWire
import NIOCore
import SegmentLog

/// Finds a partition's batches in the shard's blocks. Batches are returned as slices of the blocks, never copied.
///
/// Owner: one request, which keeps it while something that is missing comes from disk.
struct BatchReader {
    enum Outcome {
        case batches(Records)
        /// Nothing could be returned without something that is not in memory.
        case needs(Missing)
        case damaged(BlockError)
    }

    /// How a walk over a run ended.
    enum Walk {
        case finished
        /// The visitor had enough.
        case stopped
        case needsBlock(LogIndex)
    }

    /// One batch where it stands.
    struct Located {
        let baseOffset: Offset
        let command: ProduceCommand
        let bytes: ByteBuffer
        let index: LogIndex
        let term: Term

        /// The offset behind the batch's last record.
        var endOffset: Offset { baseOffset + Int(command.recordCount) }
        var leaderEpoch: Int32 { Int32(truncatingIfNeeded: term.rawValue) }
    }

    let shard: Shard
    let state: PartitionState
    let key: PartitionKey
    var lookup: OffsetLookup

    init(shard: Shard, state: PartitionState, key: PartitionKey) {
        self.shard = shard
        self.state = state
        self.key = key
        lookup = OffsetLookup(key, state.index, nextOffset: state.nextOffset, table: shard.offsets)
    }

    /// Whole batches, the first of which contains `offset`.
    ///
    /// - Parameters:
    ///   - bytesMax: what to stay within.
    ///   - mustReturnOne: whether the first batch is returned even if it is larger.
    mutating func read(from offset: Offset, bytesMax: Int, mustReturnOne: Bool) -> Outcome {
        var records = Records()
        var next = offset
        var resumeIndex = shard.resumePoints.index(of: offset, in: key)
        var last: Located?
        defer { if let last { shard.resumePoints.remember(last.endOffset, of: key, at: last.index.next) } }
        while true {
            let stretch: OffsetLookup.Stretch
            switch lookup.stretch(from: next) {
            case .found(let found): stretch = found
            case .none: return .batches(records)
            case .needs(let missing): return records.isEmpty ? .needs(missing) : .batches(records)
            }
            do {
                for run in stretch.runs {
                    // Of the first run alone: behind it each begins where it should.
                    let rest = resumeIndex.map { run.rest(from: offset, at: $0) } ?? run
                    resumeIndex = nil
                    let walk = try walk(rest) { batch in
                        guard batch.endOffset > offset else { return true }
                        let size = records.byteCount + batch.bytes.readableBytes
                        guard size <= bytesMax || (records.isEmpty && mustReturnOne) else { return false }
                        records.append(
                            batch: batch.bytes, baseOffset: batch.baseOffset.rawValue, leaderEpoch: batch.leaderEpoch)
                        last = batch
                        return true
                    }
                    switch walk {
                    case .finished: continue
                    case .stopped: return .batches(records)
                    case .needsBlock(let index): return records.isEmpty ? .needs(.block(index)) : .batches(records)
                    }
                }
            } catch {
                return .damaged(error)
            }
            next = stretch.endOffset
        }
    }

    /// Calls back with each batch of the run, in order, until told to stop.
    func walk(_ run: OffsetIndex.Run, _ body: (Located) -> Bool) throws(BlockError) -> Walk {
        var offset = run.firstOffset
        var next = run.firstIndex
        while next <= run.lastIndex {
            guard let block = try shard.block(containing: next) else { return .needsBlock(next) }
            let payload = try block.payload()
            for entry in block.entries where entry.index >= next && entry.type == .command {
                guard entry.index <= run.lastIndex else { return .finished }
                guard case .produce(let command) = try? Command.decode(entry.head), command.partition == key else {
                    continue
                }
                let batch = Located(
                    baseOffset: offset, command: command, bytes: entry.payload(in: payload), index: entry.index,
                    term: block.term)
                offset = batch.endOffset
                guard body(batch) else { return .stopped }
            }
            next = block.last.next
        }
        return .finished
    }
}
