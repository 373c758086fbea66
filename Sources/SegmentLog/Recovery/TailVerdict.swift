import Basics

/// What the end of the newest segment means (docs/internals/recovery.md has the table).
enum TailVerdict: Hashable, Sendable {
    /// The log ends where its last block does.
    case clean
    /// A group commit that was never reported as flushed: to be cut off.
    case torn
    /// Something that was flushed once is not as it was.
    case damaged(DamagedRange)

    /// - Parameters:
    ///   - watermark: everything up to here was flushed.
    ///   - unflushedBytesMax: how far behind its first missing byte an unfinished group commit can reach. A block
    ///     further away was written after that byte had been flushed.
    init(
        _ scan: SegmentScan, _ reader: SequentialReader, shard: ShardID, watermark: LogIndex, unflushedBytesMax: Int
    ) throws(StorageError) {
        // A segment gets its name after its first blocks were flushed.
        if scan.table.last < watermark || scan.table.blocks.isEmpty {
            self = .damaged(scan.damage(last: max(watermark, scan.table.segment)))
            return
        }
        if case .order = scan.stop {
            self = .damaged(scan.damage(last: nil))
            return
        }
        let later = scan.stop == .endOfFile ? nil : try scan.lastLaterBlock(reader, shard: shard)
        if let later, later.end - scan.table.end > unflushedBytesMax {
            self = .damaged(scan.damage(last: later.last))
        } else {
            self = later != nil || scan.stoppedAtOwnBlock ? .torn : .clean
        }
    }
}

extension SegmentScan {
    /// The end of the walk as damage that reaches to `last`.
    func damage(last: LogIndex?) -> DamagedRange {
        let reason: DamagedRange.Reason =
            switch stop {
            case .invalid(let error): .block(error)
            case .order(let expected): .order(expected: expected)
            case .endOfFile, .blank, .stale: .missingBlocks
            }
        return DamagedRange(
            file: LogLayout.segmentName(table.segment), position: table.end, firstIndex: table.last.next,
            lastIndex: last, reason: reason)
    }
}

extension Durability {
    var unflushedBytesMax: Int {
        switch self {
        case .fsync: SegmentLogOptions.groupBytesMax
        case .page: .max
        }
    }
}
