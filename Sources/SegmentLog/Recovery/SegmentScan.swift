import Basics
import NIOCore

/// What walking a segment file block by block finds.
struct SegmentScan {
    /// Why the walk ended.
    enum Stop: Hashable, Sendable {
        case endOfFile
        /// Zeros where a header would be: never written, or not yet.
        case blank
        /// A whole block of another segment or shard: what the file held before it was recycled.
        case stale
        /// A whole block of this segment that doesn't belong here.
        case order(expected: LogIndex)
        case invalid(BlockError)
    }

    /// A block header of this segment, with the right checksum, behind the place where the walk ended.
    struct LaterBlock: Hashable, Sendable {
        var end: Int
        var last: LogIndex
    }

    /// The blocks before the end of the walk: whole and chained.
    var table: SegmentTable
    var stop = Stop.endOfFile
    /// What stands at the end of the walk says that it is a block of this segment, whole or not.
    var stoppedAtOwnBlock = false

    /// Walks the segment from its first block; every checksum is verified. Terms begin at `previousTerm` or above.
    static func run(
        _ reader: SequentialReader, shard: ShardID, segment: LogIndex, previousTerm: Term,
        visit: (BlockHeader, UnsafeRawBufferPointer) -> Void = { _, _ in }
    ) throws(StorageError) -> SegmentScan {
        var scan = SegmentScan(table: SegmentTable(segment: segment))
        while scan.table.end < reader.fileBytes {
            scan.stoppedAtOwnBlock = false
            let position = scan.table.end
            let front = try reader.view(at: position, length: BlockHeader.size)
            if front.isZero(0 ..< front.count) {
                scan.stop = .blank
                return scan
            }
            let claimed: BlockHeader
            do throws(BlockError) {
                claimed = try BlockHeader.parse(front)
            } catch {
                scan.stop = .invalid(error)
                return scan
            }
            scan.stoppedAtOwnBlock = claimed.segment == segment && claimed.shard == shard
            let bytes = try reader.view(at: position, length: claimed.encodedSize)
            let lastTerm = max(previousTerm, scan.table.lastTerm)
            if let stop = scan.check(bytes, claimed, shard: shard, lastTerm: lastTerm) {
                scan.stop = stop
                return scan
            }
            scan.table.append(BlockLocation(claimed, at: position))
            visit(claimed, bytes)
            scan.stoppedAtOwnBlock = false
        }
        return scan
    }

    private func check(
        _ bytes: UnsafeRawBufferPointer, _ header: BlockHeader, shard: ShardID, lastTerm: Term
    ) -> Stop? {
        do throws(BlockError) { _ = try Block.verify(bytes) } catch { return .invalid(error) }
        guard header.segment == table.segment, header.shard == shard else { return .stale }
        guard header.base == table.last.next, header.term >= lastTerm else { return .order(expected: table.last.next) }
        return nil
    }

    /// Looks behind the end of the walk for blocks of this segment with a higher index, whole or with a torn payload,
    /// and returns the last one. Without any, what follows is garbage that nobody will ever take for entries.
    func lastLaterBlock(_ reader: SequentialReader, shard: ShardID) throws(StorageError) -> LaterBlock? {
        var found: LaterBlock?
        var position = table.end
        while position < reader.fileBytes {
            let window = try reader.view(at: position, length: 64.kibibytes)
            guard let candidate = Self.firstMagic(in: window) else {
                position += window.count & ~(BlockFormat.alignment - 1)
                if window.count < BlockHeader.size { break }
                continue
            }
            position += candidate
            if let header = try ownHeader(reader, shard: shard, at: position), header.base > table.last {
                found = LaterBlock(end: position + header.encodedSize, last: header.last)
            }
            position += BlockFormat.alignment
        }
        return found
    }

    /// Blocks lie at multiples of 8, and so does the end of the walk.
    private static func firstMagic(in window: UnsafeRawBufferPointer) -> Int? {
        var offset = 0
        while offset + 4 <= window.count {
            if window.number(UInt32.self, at: offset) == BlockFormat.magic { return offset }
            offset += BlockFormat.alignment
        }
        return nil
    }

    private func ownHeader(
        _ reader: SequentialReader, shard: ShardID, at position: Int
    ) throws(StorageError) -> BlockHeader? {
        let front = try reader.view(at: position, length: BlockHeader.size)
        guard let header = try? BlockHeader.parse(front), header.segment == table.segment, header.shard == shard else {
            return nil
        }
        let bytes = try reader.view(at: position, length: header.payloadStart)
        do throws(BlockError) { try header.verifyDirectory(bytes) } catch { return nil }
        return header
    }
}
