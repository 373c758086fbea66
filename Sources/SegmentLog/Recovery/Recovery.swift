import Basics
import NIOCore

/// Brings a directory back to a log (docs/internals/recovery.md has the decision table). Runs once, before anything is
/// written. Doing it twice gives the same log, so a crash on the way does no harm.
struct Recovery {
    /// A segment as recovery leaves it. Only the newest one's table is kept: a large log has too many to hold.
    struct Segment {
        var base: LogIndex
        var last: LogIndex
        var end: Int
        var table: SegmentTable?

        init(_ table: SegmentTable) {
            base = table.segment
            last = table.last
            end = table.end
            self.table = table
        }

        var isEmpty: Bool { last < base }
    }

    let options: SegmentLogOptions
    let files: any FileSystem
    let layout: LogLayout
    private(set) var segments: [Segment] = []
    private(set) var terms = TermStarts()
    private(set) var state = LogState()
    private(set) var summary = RecoverySummary()
    private var damage: [DamagedRange] = []
    /// What to change on disk once it is clear that nothing is damaged.
    private var cuts: [(segment: LogIndex, position: Int)] = []
    private var sidecars: [SegmentTable] = []

    init(options: SegmentLogOptions, files: any FileSystem) {
        self.options = options
        self.files = files
        layout = LogLayout(directory: options.directory)
    }

    var lastIndex: LogIndex { segments.last { !$0.isEmpty }?.last ?? .zero }
    private var lastTerm: Term { terms.last }

    mutating func run() throws(StorageError) {
        if !options.readOnly { try files.createDirectory(options.directory) }
        var listing = LogLayout.Listing(try files.list(options.directory))
        if !options.readOnly { try removeLeftovers(&listing) }
        try loadState(listing)
        try dropReclaimed(&listing)
        try loadSegments(listing)
        try settleDamage()
        if !options.readOnly { try tidyUp() }
        summary.segments = segments.count
        summary.bytes = segments.reduce(0) { $0 + $1.end - SegmentFormat.headerBytes }
    }

    /// Unfinished sidecars, and the prepared segment: it may hold blocks that carry the number of the segment which is
    /// about to begin, and those must not be found there again. A free file may be the same one, under the name that it
    /// had before: its blocks can reach the disk sooner than its new name.
    private mutating func removeLeftovers(_ listing: inout LogLayout.Listing) throws(StorageError) {
        for name in listing.temporary { try files.unlink(layout.path(name)) }
        if listing.hasPrepared { try files.unlink(layout.prepared) }
        let segments = Set(listing.segments)
        for sidecar in listing.sidecars where !segments.contains(sidecar) { try files.unlink(layout.sidecar(sidecar)) }
        for base in listing.offsets where !segments.contains(base) { try files.unlink(layout.offsets(base)) }
        for base in listing.free { try files.unlink(layout.free(base)) }
        try files.syncDirectory(options.directory)
    }

    // MARK: State

    private mutating func loadState(_ listing: LogLayout.Listing) throws(StorageError) {
        var loaded = LogState.Loaded()
        if listing.hasState {
            loaded = try LogState.load(openStored(layout.state), shard: options.shard)
        }
        summary.hasDamagedStatePage = loaded.hasDamagedPage
        if let found = loaded.state {
            state = found
        } else {
            // The first state is durable before the first segment exists, so one without the other is damage.
            if !listing.segments.isEmpty || loaded.hasDamagedPage {
                damage.append(DamagedRange(
                    file: "state", position: 0, firstIndex: .zero, lastIndex: nil, reason: .state))
            }
            try createState()
        }
    }

    private func createState() throws(StorageError) {
        guard !options.readOnly, damage.isEmpty || options.acceptDataLoss else { return }
        let temporary = layout.temporary(layout.state)
        let file = try files.open(temporary, .create)
        let blank = ByteBuffer(repeating: 0, count: LogState.fileBytes)
        try file.write([blank], at: 0)
        try file.write([LogState().encode(shard: options.shard)], at: 0)
        try file.flush()
        try files.rename(temporary, to: layout.state)
        try files.syncDirectory(options.directory)
    }

    private func saveState(_ change: (inout LogState) -> Void) throws(StorageError) -> LogState {
        let file = StateFile(file: try files.open(layout.state, .readWrite), shard: options.shard, current: state)
        try file.save(change)
        return file.current
    }

    // MARK: Segments

    /// Finishes a reclaim that a crash interrupted: its floor was durable before the first file went.
    private mutating func dropReclaimed(_ listing: inout LogLayout.Listing) throws(StorageError) {
        let first = state.firstSegment
        let dropped = listing.segments.filter { $0 < first }
        listing.segments.removeAll { $0 < first }
        if !options.readOnly, !dropped.isEmpty {
            for base in dropped { try files.unlink(layout.segment(base)) }
            for base in dropped where listing.sidecars.contains(base) { try files.unlink(layout.sidecar(base)) }
            for base in dropped where listing.offsets.contains(base) { try files.unlink(layout.offsets(base)) }
            try files.syncDirectory(options.directory)
        }
        if first > .zero, listing.segments.first != first {
            let next = listing.segments.first
            damage.append(DamagedRange(
                file: LogLayout.segmentName(first), position: 0, firstIndex: first, lastIndex: next?.previous,
                reason: .missingSegment))
        }
    }

    private mutating func loadSegments(_ listing: LogLayout.Listing) throws(StorageError) {
        let bases = listing.segments
        for (number, base) in bases.enumerated() {
            if number > 0, segments[number - 1].last.next != base { reportGap(before: base) }
            let isLast = number == bases.count - 1
            // The newest sealed segment is scanned too: its seal may not have been finished.
            let mayUseSidecar = number < bases.count - 2 && listing.sidecars.contains(base)
            if mayUseSidecar, let table = try loadSidecar(base), lastTerm <= table.blocks.first?.term ?? .zero {
                add(table)
            } else if isLast {
                try scanLast(base)
            } else {
                try scanSealed(base, next: bases[number + 1], hasSidecar: listing.sidecars.contains(base))
            }
        }
        if lastIndex < state.watermark, damage.isEmpty {
            let last = segments.last
            damage.append(DamagedRange(
                file: LogLayout.segmentName(last?.base ?? LogIndex(1)), position: last?.end ?? 0,
                firstIndex: lastIndex.next, lastIndex: state.watermark, reason: .missingBlocks))
        }
    }

    private mutating func add(_ table: SegmentTable) {
        // A damaged segment's table is needed again when its damage is cut off.
        if damage.isEmpty, !segments.isEmpty { segments[segments.count - 1].table = nil }
        segments.append(Segment(table))
        for block in table.blocks { terms.note(block.base, block.term) }
        summary.blocks += table.blocks.count
    }

    private mutating func reportGap(before base: LogIndex) {
        guard let previous = segments.last, damage.last?.file != LogLayout.segmentName(previous.base) else { return }
        damage.append(DamagedRange(
            file: LogLayout.segmentName(previous.base), position: previous.end, firstIndex: previous.last.next,
            lastIndex: base.previous, reason: .missingSegment))
    }

    private func loadSidecar(_ base: LogIndex) throws(StorageError) -> SegmentTable? {
        let bytes = try files.open(layout.segment(base), .read).size()
        return try SegmentTable.readSidecar(
            base, shard: options.shard, fileBytes: bytes, files: files, layout: layout)
    }

    /// Opens a file of which everything that is read is on the disk. What the last process left in the page cache
    /// counts as stored from here on, so it must be; and what is taken for stored must be read from the disk.
    private func openStored(_ path: String) throws(StorageError) -> any StorageFile {
        guard !options.readOnly else { return try files.open(path, .read) }
        let file = try files.open(path, .readWrite)
        try file.flush()
        try file.dropCache()
        return file
    }

    /// nil if the file's header is not that of segment `base`.
    private func walk(
        _ base: LogIndex, previousTerm: Term
    ) throws(StorageError) -> (SegmentScan, SequentialReader)? {
        let reader = try SequentialReader(openStored(layout.segment(base)))
        let front = try reader.view(at: 0, length: SegmentFormat.headerBytes)
        guard SegmentFormat.isHeader(ByteBuffer(bytes: front), shard: options.shard, base: base) else { return nil }
        let scan = try SegmentScan.run(reader, shard: options.shard, segment: base, previousTerm: previousTerm)
        return (scan, reader)
    }

    /// Everything in a segment that has a successor was flushed before the successor came into being.
    private mutating func scanSealed(_ base: LogIndex, next: LogIndex, hasSidecar: Bool) throws(StorageError) {
        summary.scannedSegments += 1
        guard let (scan, reader) = try walk(base, previousTerm: lastTerm) else {
            return reportHeader(base, last: next.previous)
        }
        add(scan.table)
        guard scan.table.last.next == next else {
            damage.append(scan.damage(last: next.previous))
            return
        }
        if scan.table.end < reader.fileBytes { cuts.append((base, scan.table.end)) }
        if hasSidecar, let table = try loadSidecar(base), table == scan.table { return }
        sidecars.append(scan.table)
    }

    private mutating func scanLast(_ base: LogIndex) throws(StorageError) {
        summary.scannedSegments += 1
        guard let (scan, reader) = try walk(base, previousTerm: lastTerm) else { return reportHeader(base, last: nil) }
        add(scan.table)
        let verdict = try TailVerdict(
            scan, reader, shard: options.shard, watermark: state.watermark,
            unflushedBytesMax: options.durability.unflushedBytesMax)
        switch verdict {
        case .clean: break
        case .torn:
            summary.tornTail = .init(segment: base, position: scan.table.end, lastIndex: lastIndex)
            cuts.append((base, scan.table.end))
        case .damaged(let range): damage.append(range)
        }
    }

    private mutating func reportHeader(_ base: LogIndex, last: LogIndex?) {
        add(SegmentTable(segment: base))
        damage.append(DamagedRange(
            file: LogLayout.segmentName(base), position: 0, firstIndex: base, lastIndex: last, reason: .segmentHeader))
    }

    private mutating func tidyUp() throws(StorageError) {
        for cut in cuts { try self.cut(cut.segment, at: cut.position) }
        for table in sidecars {
            try table.writeSidecar(shard: options.shard, files: files, layout: layout)
            summary.rebuiltSidecars += 1
        }
    }

    /// Durable before anything may be written behind it, lest the cut-off blocks chain to what comes next.
    private func cut(_ base: LogIndex, at position: Int) throws(StorageError) {
        let file = try files.open(layout.segment(base), .readWrite)
        try file.truncate(to: position)
        try file.flush()
    }

    // MARK: Damage

    private mutating func settleDamage() throws(StorageError) {
        guard !damage.isEmpty else { return }
        guard options.acceptDataLoss, !options.readOnly else { throw .damaged(damage) }
        summary.acceptedLoss = damage
        // Everything behind the first break goes: entries without their predecessors mean nothing.
        var kept = 0
        while kept < segments.count, kept == 0 || segments[kept].base == segments[kept - 1].last.next {
            kept += 1
            if damage.contains(where: { $0.file == LogLayout.segmentName(segments[kept - 1].base) }) { break }
        }
        while kept > 0, segments[kept - 1].isEmpty { kept -= 1 }
        let dropped = segments[kept...].map(\.base)
        segments.removeSubrange(kept...)
        try cutDamage(dropping: dropped)
    }

    private mutating func cutDamage(dropping dropped: [LogIndex]) throws(StorageError) {
        let last = lastIndex
        let first = segments.first?.base ?? .zero
        terms.cut(from: last.next)
        let term = lastTerm.rawValue
        state = try saveState { state in
            state.watermark = min(state.watermark, last)
            state.firstSegment = first
            state.truncations += 1
            state.hardState.term = max(state.hardState.term, term)
        }
        for base in dropped.reversed() { try remove(base) }
        cuts.removeAll { cut in dropped.contains(cut.segment) }
        sidecars.removeAll { dropped.contains($0.segment) || $0.segment == segments.last?.base }
        guard let newest = segments.last else { return }
        try cut(newest.base, at: newest.end)
        if newest.table == nil {
            segments[segments.count - 1].table = try walk(newest.base, previousTerm: .zero)?.0.table
        }
    }

    private func remove(_ base: LogIndex) throws(StorageError) {
        try files.unlink(layout.segment(base))
        try files.syncDirectory(options.directory)
    }
}
