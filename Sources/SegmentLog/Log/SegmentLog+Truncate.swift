import Basics
import DequeModule
import NIOCore

extension SegmentLog {
    /// Cuts the log: the block that contains `from`, and all behind it, go. The cut is durable before anything that is
    /// appended afterwards, so that what was cut off can never be found again.
    ///
    /// Reads a block table from disk, on the loop, if the cut lies in a sealed segment that was not used lately (a new
    /// leader that overwrites more than a segment is rare). If that fails the log is poisoned.
    public func truncate(from cut: LogIndex) {
        eventLoop.assertInEventLoop()
        guard let position = index.find(cut) else { return }
        let dropped: [LogIndex]
        do throws(StorageError) {
            let table = try table(at: position)
            guard let block = table.find(cut).map({ table.blocks[$0] }) else {
                throw .damaged([DamagedRange(
                    file: LogLayout.segmentName(table.segment), position: table.end, firstIndex: table.last.next,
                    lastIndex: nil, reason: .missingBlocks)])
            }
            let previous = block.base == table.segment && position > 0 ? try self.table(at: position - 1) : nil
            dropped = index.cut(from: block.base, at: position, table, previous: previous)
        } catch {
            return fail(error)
        }
        ring.cut(from: lastIndex.next)
        terms.cut(from: lastIndex.next)
        flushedIndex = min(flushedIndex, lastIndex)
        truncations += 1
        reader.forget { key in dropped.contains(key.base) }
        submit(.truncate(.init(
            dropped: dropped, kept: index.active?.base, position: index.active?.end ?? 0, last: lastIndex)))
    }

    private func table(at position: Int) throws(StorageError) -> SegmentTable {
        if let table = index.table(at: position) { return table }
        let key = index.segments[position].key
        return try reader.loadTable(key.base, reader.file(key))
    }

    /// Whole segments below `index` go: all sealed ones that end below it. The active segment stays.
    public func reclaim(below index: LogIndex) {
        eventLoop.assertInEventLoop()
        // What is not stored yet cannot be reclaimed; nobody has a reason to ask for it.
        let dropped = self.index.drop(below: min(index, flushedIndex.next))
        guard !dropped.isEmpty else { return }
        terms.drop(below: firstIndex)
        ring.evict(below: firstIndex)
        reader.forget { key in dropped.contains(key.base) }
        submit(.reclaim(dropped, first: firstIndex))
    }
}
