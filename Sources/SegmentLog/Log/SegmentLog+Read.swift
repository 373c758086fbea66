import Basics
import DequeModule
import NIOCore

extension SegmentLog {
    /// The block that contains an entry, if it is in memory.
    public func block(containing index: LogIndex) -> Block? {
        eventLoop.assertInEventLoop()
        return ring.find(index).map { ring.blocks[$0] }
    }

    /// Reads consecutive whole blocks, beginning with the one that contains `from`: at least one, and no more than
    /// `maxBytes` otherwise. May end early, at the end of a segment. Blocks in memory are delivered before the call
    /// returns; others are read on the reader executor, and every checksum is verified.
    ///
    /// - Parameters:
    ///   - decompress: attach the raw payload to blocks that come from disk, on the reader's thread.
    ///   - completion: on the loop. Fails with `.outOfRange` for an entry that the log doesn't have (any more), with
    ///     `.damaged` for a block whose checksum is wrong.
    public func read(
        from: LogIndex, maxBytes: Int, decompress: Bool = false,
        completion: @escaping (Result<[Block], StorageError>) -> Void
    ) {
        eventLoop.assertInEventLoop()
        if let position = ring.find(from) { return completion(.success(blocksInMemory(position, maxBytes))) }
        guard let position = index.find(from) else {
            return completion(.failure(.outOfRange(index: from, first: firstIndex, last: lastIndex)))
        }
        let table = index.table(at: position)
        let request = SegmentReader.Request(
            file: index.segments[position].key,
            locations: table?.locations(from: from, maxBytes: maxBytes, flushed: flushedIndex),
            from: from, maxBytes: maxBytes, flushed: flushedIndex, decompress: decompress)
        let pending = NIOLoopBound(
            PendingRead(log: self, request: request, truncations: truncations, completion: completion),
            eventLoop: eventLoop)
        let loop = eventLoop
        let reader = reader
        readExecutor.submit {
            let result = Result { () throws(StorageError) in try reader.read(request) }
            loop.execute { pending.value.finish(result) }
        }
    }

    private func blocksInMemory(_ start: Int, _ maxBytes: Int) -> [Block] {
        var end = start + 1
        var bytes = ring.blocks[start].encodedSize
        while end < ring.blocks.count, bytes + ring.blocks[end].encodedSize <= maxBytes {
            bytes += ring.blocks[end].encodedSize
            end += 1
        }
        return Array(ring.blocks[start ..< end])
    }

    /// A read whose job is under way.
    private struct PendingRead {
        let log: SegmentLog
        let request: SegmentReader.Request
        let truncations: Int
        let completion: (Result<[Block], StorageError>) -> Void

        func finish(_ result: Result<SegmentReader.Answer, StorageError>) {
            // While the job ran its blocks may have been cut off and overwritten, or their file reclaimed and reused:
            // then neither what it read nor its error means anything.
            let isCurrent = log.index.find(request.from).map { log.index.segments[$0].key } == request.file
            guard isCurrent, log.truncations == truncations else {
                return log.read(
                    from: request.from, maxBytes: request.maxBytes, decompress: request.decompress,
                    completion: completion)
            }
            if case .success(let answer) = result, let table = answer.table,
                let position = log.index.find(request.from)
            {
                log.index.keep(table, at: position)
            }
            completion(result.map(\.blocks))
        }
    }

    /// Walks headers and directories from the block that contains `from` to the end of the log, in order, skipping the
    /// payloads: what a state machine needs to catch up after a start. Synchronous; header checksums are verified.
    ///
    /// May run off the loop, before the first other call.
    public func readHeads(
        from: LogIndex, _ body: (BlockHeads) throws(StorageError) -> Void
    ) throws(StorageError) {
        guard lastIndex >= from else { return }
        guard let start = index.find(from) else {
            throw .outOfRange(index: from, first: firstIndex, last: lastIndex)
        }
        for segment in index.segments.dropFirst(start) {
            // Small pieces, so that a large payload is skipped rather than read.
            let file = try SequentialReader(reader.file(segment.key), pieceBytes: 64.kibibytes)
            var position = SegmentFormat.headerBytes
            var next = segment.base
            while position < segment.end {
                let heads = try BlockHeads.read(file, at: position, segment: segment.base, expected: next)
                if heads.last >= from { try body(heads) }
                position += heads.header.encodedSize
                next = heads.last.next
            }
        }
    }
}
