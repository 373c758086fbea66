import Basics
import NIOCore

/// Looks at the log of a stopped node: prints everything, or verifies everything. Takes no lock, changes nothing.
public struct LogInspector: Sendable {
    /// One line of a dump.
    public enum Item: Hashable, Sendable {
        case state(HardStateRecord, watermark: LogIndex, firstSegment: LogIndex)
        case segment(name: String, base: LogIndex, bytes: Int)
        case block(position: Int, BlockHeads)
        /// The blocks of a segment end here, before the end of its file.
        case end(position: Int, reason: String)
        case sidecar(name: String, blocks: Int, isValid: Bool)
        case offsets(name: String, bytes: Int, isValid: Bool)
        /// A file that holds no entries.
        case other(name: String, bytes: Int)
    }

    /// What verification found about one segment.
    public struct SegmentCheck: Hashable, Sendable {
        public enum Sidecar: String, Hashable, Sendable {
            case matches, missing, differs
        }

        public var base: LogIndex
        /// Index of the last entry that could be verified.
        public var last: LogIndex
        public var blocks: Int
        /// Bytes up to the end of the last verified block.
        public var bytes: Int
        /// CRC-32C of these bytes: the same on every replica once the segment is sealed.
        public var checksum: UInt32
        public var sidecar: Sidecar
    }

    public struct Verification: Hashable, Sendable {
        public var segments: [SegmentCheck] = []
        public var damage: [DamagedRange] = []
        /// An unfinished group commit at the end, which the next start cuts off.
        public var hasTornTail = false

        public var isSound: Bool { damage.isEmpty && !segments.contains { $0.sidecar == .differs } }
    }

    private let options: SegmentLogOptions
    private let files: any FileSystem
    private let layout: LogLayout

    /// - Parameter options: directory, shard and durability count.
    public init(options: SegmentLogOptions, fileSystem: any FileSystem) {
        self.options = options
        files = fileSystem
        layout = LogLayout(directory: options.directory)
    }

    /// Every file, block and directory in order. The payloads are not read.
    public func dump(_ visit: (Item) -> Void) throws(StorageError) {
        let names = try files.list(options.directory)
        let listing = LogLayout.Listing(names)
        if let state = try loadState(listing) {
            visit(.state(state.hardState, watermark: state.watermark, firstSegment: state.firstSegment))
        }
        for base in listing.segments { try dumpSegment(base, visit) }
        for base in listing.sidecars {
            let path = layout.sidecar(base)
            let table = try sidecar(base, listing)
            visit(.sidecar(name: fileName(path), blocks: table?.blocks.count ?? 0, isValid: table != nil))
        }
        for base in listing.offsets {
            let content = try OffsetsFile.read(base, shard: options.shard, files: files, layout: layout)
            visit(.offsets(
                name: LogLayout.offsetsName(base), bytes: content?.readableBytes ?? 0, isValid: content != nil))
        }
        let told = Set(
            listing.segments.map(layout.segment) + listing.sidecars.map(layout.sidecar)
                + listing.offsets.map(layout.offsets) + [layout.state])
        for name in names.sorted() where !told.contains(layout.path(name)) {
            visit(.other(name: name, bytes: try files.open(layout.path(name), .read).size()))
        }
    }

    private func dumpSegment(_ base: LogIndex, _ visit: (Item) -> Void) throws(StorageError) {
        let reader = try SequentialReader(files.open(layout.segment(base), .read), pieceBytes: 64.kibibytes)
        visit(.segment(name: LogLayout.segmentName(base), base: base, bytes: reader.fileBytes))
        var position = SegmentFormat.headerBytes
        var next = base
        while position < reader.fileBytes {
            do throws(StorageError) {
                let heads = try BlockHeads.read(reader, at: position, segment: base, expected: next)
                visit(.block(position: position, heads))
                position += heads.header.encodedSize
                next = heads.last.next
            } catch {
                guard case .damaged(let ranges) = error, let range = ranges.first else { throw error }
                visit(.end(position: position, reason: "\(range.reason)"))
                return
            }
        }
    }

    /// Every checksum of every block, the order of indices and terms across all segments, and the sidecars against
    /// the segments.
    public func verify() throws(StorageError) -> Verification {
        var verification = Verification()
        let listing = LogLayout.Listing(try files.list(options.directory))
        let state = try loadState(listing)
        if state == nil, !listing.segments.isEmpty {
            verification.damage.append(DamagedRange(
                file: fileName(layout.state), position: 0, firstIndex: .zero, lastIndex: nil, reason: .state))
        }
        let first = state?.firstSegment ?? .zero
        var expected = first > .zero ? first : listing.segments.first ?? .zero
        var term = Term.zero
        for (number, base) in listing.segments.enumerated() where base >= first {
            if base != expected {
                verification.damage.append(DamagedRange(
                    file: LogLayout.segmentName(base), position: 0, firstIndex: expected, lastIndex: base.previous,
                    reason: .missingSegment))
            }
            let next = number + 1 < listing.segments.count ? listing.segments[number + 1] : nil
            try verifySegment(base, next: next, &term, state?.watermark ?? .zero, listing, &verification)
            expected = next ?? expected
        }
        if verification.segments.isEmpty, let watermark = state?.watermark, watermark > .zero {
            verification.damage.append(DamagedRange(
                file: LogLayout.segmentName(LogIndex(1)), position: 0, firstIndex: LogIndex(1), lastIndex: watermark,
                reason: .missingSegment))
        }
        return verification
    }

    private func verifySegment(
        _ base: LogIndex, next: LogIndex?, _ term: inout Term, _ watermark: LogIndex, _ listing: LogLayout.Listing,
        _ verification: inout Verification
    ) throws(StorageError) {
        let reader = try SequentialReader(files.open(layout.segment(base), .read))
        let front = ByteBuffer(bytes: try reader.view(at: 0, length: SegmentFormat.headerBytes))
        guard SegmentFormat.isHeader(front, shard: options.shard, base: base) else {
            verification.damage.append(DamagedRange(
                file: LogLayout.segmentName(base), position: 0, firstIndex: base, lastIndex: next?.previous,
                reason: .segmentHeader))
            return
        }
        var checksum = front.withUnsafeReadableBytes { crc32c($0) }
        let scan = try SegmentScan.run(reader, shard: options.shard, segment: base, previousTerm: term) { _, bytes in
            checksum = crc32c(bytes, seed: checksum)
        }
        term = max(term, scan.table.lastTerm)
        if let next {
            if scan.table.last.next != next { verification.damage.append(scan.damage(last: next.previous)) }
        } else {
            let verdict = try TailVerdict(
                scan, reader, shard: options.shard, watermark: watermark,
                unflushedBytesMax: options.durability.unflushedBytesMax)
            switch verdict {
            case .clean: break
            case .torn: verification.hasTornTail = true
            case .damaged(let range): verification.damage.append(range)
            }
        }
        verification.segments.append(SegmentCheck(
            base: base, last: scan.table.last, blocks: scan.table.blocks.count, bytes: scan.table.end,
            checksum: checksum, sidecar: try check(scan.table, isSealed: next != nil, listing)))
    }

    private func check(
        _ table: SegmentTable, isSealed: Bool, _ listing: LogLayout.Listing
    ) throws(StorageError) -> SegmentCheck.Sidecar {
        guard isSealed, listing.sidecars.contains(table.segment) else { return .missing }
        return try sidecar(table.segment, listing) == table ? .matches : .differs
    }

    private func sidecar(_ base: LogIndex, _ listing: LogLayout.Listing) throws(StorageError) -> SegmentTable? {
        guard listing.segments.contains(base) else { return nil }
        let bytes = try files.open(layout.segment(base), .read).size()
        return try SegmentTable.readSidecar(
            base, shard: options.shard, fileBytes: bytes, files: files, layout: layout)
    }

    private func loadState(_ listing: LogLayout.Listing) throws(StorageError) -> LogState? {
        guard listing.hasState else { return nil }
        return try LogState.load(files.open(layout.state, .read), shard: options.shard).state
    }

    private func fileName(_ path: String) -> String { String(path.dropFirst(options.directory.count + 1)) }
}
