import Basics

/// The offset tables of sealed segments that are in memory: those used lately, and those not on disk yet.
///
/// Owner: its `Shard`. The former are bounded in bytes: the table not used for longest goes first. Of the latter there
/// are as many as the reader's thread is behind with; a table that cannot be written stays.
struct OffsetTables {
    private struct Cached {
        let table: OffsetTable
        var lastUse: UInt64
    }

    private let bytesMax: Int
    private var bytes = 0
    private var uses: UInt64 = 0
    private var cached: [LogIndex: Cached] = [:]
    private var unwritten: [LogIndex: OffsetTable] = [:]

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    /// The table of a segment, which counts as a use of it.
    mutating func table(of segment: LogIndex) -> OffsetTable? {
        if let table = unwritten[segment] { return table }
        guard let table = cached[segment]?.table else { return nil }
        uses += 1
        cached[segment]?.lastUse = uses
        return table
    }

    mutating func insertUnwritten(_ table: OffsetTable) { unwritten[table.segment] = table }

    mutating func written(_ segment: LogIndex) {
        if let table = unwritten.removeValue(forKey: segment) { insert(table) }
    }

    /// Adds a table that is on disk.
    mutating func insert(_ table: OffsetTable) {
        uses += 1
        if let known = cached.updateValue(Cached(table: table, lastUse: uses), forKey: table.segment) {
            bytes -= known.table.residentBytes
        }
        bytes += table.residentBytes
        while bytes > bytesMax, cached.count > 1 { evictOldest() }
    }

    private mutating func evictOldest() {
        guard let oldest = cached.min(by: { $0.value.lastUse < $1.value.lastUse })?.key,
            let known = cached.removeValue(forKey: oldest)
        else { return }
        bytes -= known.table.residentBytes
    }
}
