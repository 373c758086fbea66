import Basics
import KafkaWire
import NIOCore
import SegmentLog

/// Finds a partition's batches in the shard's blocks. Batches are returned as slices of the blocks, never copied.
struct BatchReader {
    enum Outcome {
        case batches(Records)
        /// The block with this index is not in memory, and nothing could be returned without it.
        case needsBlock(LogIndex)
        case damaged(BlockError)
    }

    /// One batch where it stands.
    struct Located {
        let baseOffset: Offset
        let command: ProduceCommand
        let bytes: ByteBuffer
        let term: Term
    }

    let shard: Shard
    let state: PartitionState
    let key: PartitionKey

    /// Whole batches, the first of which contains `offset`.
    ///
    /// - Parameters:
    ///   - bytesMax: what to stay within.
    ///   - mustReturnOne: whether the first batch is returned even if it is larger.
    func read(from offset: Offset, bytesMax: Int, mustReturnOne: Bool) -> Outcome {
        var records = Records()
        guard var position = state.index.position(of: offset) else { return .batches(records) }
        let runs = state.index.runs
        while position < runs.count {
            let run = runs[position]
            do {
                guard let block = try shard.block(containing: run.firstIndex) else {
                    return records.isEmpty ? .needsBlock(run.firstIndex) : .batches(records)
                }
                var isFull = false
                try visit(run, in: block) { batch in
                    guard batch.baseOffset + Int(batch.command.recordCount) > offset else { return true }
                    let size = records.byteCount + batch.bytes.readableBytes
                    guard size <= bytesMax || (records.isEmpty && mustReturnOne) else {
                        isFull = true
                        return false
                    }
                    records.append(
                        batch: batch.bytes, baseOffset: batch.baseOffset.rawValue,
                        leaderEpoch: Int32(truncatingIfNeeded: batch.term.rawValue))
                    return true
                }
                if isFull { break }
            } catch {
                return .damaged(error)
            }
            position += 1
        }
        return .batches(records)
    }

    /// Calls back with each batch of the run, in order, until told to stop.
    func visit(_ run: OffsetIndex.Run, in block: Block, _ body: (Located) -> Bool) throws(BlockError) {
        let payload = try block.payload()
        var offset = run.firstOffset
        for entry in block.entries {
            guard entry.index >= run.firstIndex, entry.type == .command else { continue }
            guard entry.index <= run.lastIndex else { return }
            guard case .produce(let command) = try? Command.decode(entry.head), command.partition == key else { continue }
            let batch = Located(
                baseOffset: offset, command: command, bytes: entry.payload(in: payload), term: block.term)
            offset = offset + Int(command.recordCount)
            guard body(batch) else { return }
        }
    }
}
