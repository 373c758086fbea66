import Basics
import DequeModule
import NIOCore
import Synchronization

/// Reads blocks from segment files. Used by jobs of the reader executor, of which there may be several at a time; it
/// shares nothing with the writer but the files.
final class SegmentReader: Sendable {
    /// A segment file as the loop knows it. The generation tells a file from an earlier one of the same name.
    struct FileKey: Hashable, Sendable {
        var base: LogIndex
        var generation: UInt64
    }

    struct Request: Sendable {
        var file: FileKey
        /// The blocks to read, consecutive; nil if the loop doesn't hold the segment's table.
        var locations: ArraySlice<BlockLocation>?
        var from: LogIndex
        var maxBytes: Int
        /// Nothing behind this index is read.
        var flushed: LogIndex
    }

    struct Answer<Unit: Sendable>: Sendable {
        var units: [Unit]
        /// The segment's table, if it had to be loaded.
        var table: SegmentTable?
    }

    /// Files kept open. Enough for one catching-up consumer per segment of a few, far below any descriptor limit.
    private static let openFilesMax = 64
    /// Blocks whose heads one thread reads before it asks for more.
    private static let headsPerRun = 16

    let options: SegmentLogOptions
    let files: any FileSystem
    let layout: LogLayout
    /// Do parts of a read when they have time.
    private let helpers: [any StorageExecutor]
    private let open = Mutex<Deque<(key: FileKey, file: any StorageFile)>>([])

    init(options: SegmentLogOptions, files: any FileSystem, helpers: [any StorageExecutor]) {
        self.options = options
        self.files = files
        self.helpers = helpers
        layout = LogLayout(directory: options.directory)
    }

    func read(_ request: Request, decompress: Bool) throws(StorageError) -> Answer<Block> {
        let file = try file(request.file)
        let (locations, table) = try locate(request, in: file)
        return Answer(units: try read(locations, of: request.file.base, file, decompress), table: table)
    }

    func readHeads(_ request: Request) throws(StorageError) -> Answer<BlockHeads> {
        let file = try file(request.file)
        let (locations, table) = try locate(request, in: file)
        // Each read waits for the disk, which serves several at a time.
        let runs = stride(from: locations.startIndex, to: locations.endIndex, by: Self.headsPerRun).map { start in
            locations[start ..< min(start + Self.headsPerRun, locations.endIndex)]
        }
        let results = SharedWork.map(runs, helpers: helpers) { run in
            Result { () throws(StorageError) in try Self.readHeads(at: run, of: request.file.base, file) }
        }
        var heads: [BlockHeads] = []
        heads.reserveCapacity(locations.count)
        for result in results { heads += try result.get() }
        return Answer(units: heads, table: table)
    }

    private static func readHeads(
        at locations: ArraySlice<BlockLocation>, of segment: LogIndex, _ file: any StorageFile
    ) throws(StorageError) -> [BlockHeads] {
        // A page holds most heads; more would read payloads.
        let reader = try SequentialReader(file, pieceBytes: 4.kibibytes)
        var heads: [BlockHeads] = []
        heads.reserveCapacity(locations.count)
        for location in locations {
            heads.append(
                try BlockHeads.read(reader, at: location.position, segment: segment, expected: location.base))
        }
        return heads
    }

    /// Where the blocks asked for lie, and the segment's table if it had to be loaded for that.
    private func locate(
        _ request: Request, in file: any StorageFile
    ) throws(StorageError) -> (ArraySlice<BlockLocation>, SegmentTable?) {
        if let locations = request.locations { return (locations, nil) }
        let table = try loadTable(request.file.base, file)
        let locations = table.locations(from: request.from, maxBytes: request.maxBytes, flushed: request.flushed)
        if locations.isEmpty { throw damage(table.segment, table.end, request.from, .missingBlocks) }
        return (locations, table)
    }

    private func read(
        _ locations: ArraySlice<BlockLocation>, of segment: LogIndex, _ file: any StorageFile, _ decompress: Bool
    ) throws(StorageError) -> [Block] {
        guard let first = locations.first, let last = locations.last else { return [] }
        var bytes = try file.read(at: first.position, length: last.end - first.position)
        var blocks: [Block] = []
        blocks.reserveCapacity(locations.count)
        for location in locations {
            do throws(BlockError) {
                let block = try Block.decode(from: &bytes)
                guard block.segment == segment, block.shard == options.shard, block.base == location.base,
                    block.term == location.term, block.encodedSize == Int(location.length)
                else { throw .headerChecksumMismatch }
                blocks.append(block)
            } catch {
                throw damage(segment, location, error)
            }
        }
        return decompress ? try decompressed(blocks, at: locations, of: segment) : blocks
    }

    /// Almost all of a cold read's time is spent here, so whoever has time for it helps.
    private func decompressed(
        _ blocks: [Block], at locations: ArraySlice<BlockLocation>, of segment: LogIndex
    ) throws(StorageError) -> [Block] {
        guard blocks.contains(where: { $0.rawPayload == nil }) else { return blocks }
        let results = SharedWork.map(blocks, helpers: helpers) { block in
            Result { () throws(BlockError) in block.withRawPayload(try block.payload()) }
        }
        var readable: [Block] = []
        readable.reserveCapacity(blocks.count)
        for (location, result) in zip(locations, results) {
            do throws(BlockError) {
                readable.append(try result.get())
            } catch {
                throw damage(segment, location, error)
            }
        }
        return readable
    }

    /// The table of a sealed segment: from its sidecar, or by walking the segment if that is missing or damaged.
    func loadTable(_ segment: LogIndex, _ file: any StorageFile) throws(StorageError) -> SegmentTable {
        let sidecar = try SegmentTable.readSidecar(
            segment, shard: options.shard, fileBytes: try file.size(), files: files, layout: layout)
        if let sidecar { return sidecar }
        let reader = try SequentialReader(file)
        return try SegmentScan.run(reader, shard: options.shard, segment: segment, previousTerm: .zero).table
    }

    private func damage(_ segment: LogIndex, _ location: BlockLocation, _ error: BlockError) -> StorageError {
        damage(segment, location.position, location.base, .block(error), last: location.last)
    }

    private func damage(
        _ segment: LogIndex, _ position: Int, _ index: LogIndex, _ reason: DamagedRange.Reason, last: LogIndex? = nil
    ) -> StorageError {
        .damaged([DamagedRange(
            file: LogLayout.segmentName(segment), position: position, firstIndex: index, lastIndex: last,
            reason: reason)])
    }

    /// The open file, most recently used last.
    func file(_ key: FileKey) throws(StorageError) -> any StorageFile {
        let known: (any StorageFile)? = open.withLock { open in
            guard let position = open.firstIndex(where: { $0.key == key }) else { return nil }
            let entry = open.remove(at: position)
            open.append(entry)
            return entry.file
        }
        if let known { return known }
        let file = try files.open(layout.segment(key.base), .read)
        open.withLock { open in
            open.append((key, file))
            if open.count > Self.openFilesMax { open.removeFirst() }
        }
        return file
    }

    /// Closes the files of segments that no longer exist, so that their disk space is freed.
    func forget(_ isGone: (FileKey) -> Bool) {
        open.withLock { open in open.removeAll { isGone($0.key) } }
    }
}

extension SegmentTable {
    /// The blocks from the one that contains `index` on, at least one and no more than `maxBytes` otherwise. Blocks
    /// behind `flushed` may not have been written yet: they are in memory, not on disk.
    func locations(from index: LogIndex, maxBytes: Int, flushed: LogIndex) -> ArraySlice<BlockLocation> {
        guard let start = find(index) else { return [] }
        var end = start + 1
        while end < blocks.count, blocks[end].last <= flushed, blocks[end].end - blocks[start].position <= maxBytes {
            end += 1
        }
        return ArraySlice(Array(blocks[start ..< end]))
    }
}
