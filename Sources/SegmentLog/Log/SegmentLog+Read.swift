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
        let request = request(at: position, from: from, maxBytes: maxBytes)
        let again = { self.read(from: from, maxBytes: maxBytes, decompress: decompress, completion: completion) }
        submit(request, again, completion) { reader, request throws(StorageError) in
            try reader.read(request, decompress: decompress)
        }
    }

    /// Headers and directories of the blocks that `read` would deliver, without their payloads: what a state machine
    /// needs to catch up after a start. Header checksums are verified.
    public func readHeads(
        from: LogIndex, maxBytes: Int, completion: @escaping (Result<[BlockHeads], StorageError>) -> Void
    ) {
        eventLoop.assertInEventLoop()
        if let position = ring.find(from) {
            return completion(.success(blocksInMemory(position, maxBytes).map(\.heads)))
        }
        guard let position = index.find(from) else {
            return completion(.failure(.outOfRange(index: from, first: firstIndex, last: lastIndex)))
        }
        let request = request(at: position, from: from, maxBytes: maxBytes)
        let again = { self.readHeads(from: from, maxBytes: maxBytes, completion: completion) }
        submit(request, again, completion) { reader, request throws(StorageError) in try reader.readHeads(request) }
    }

    private func request(at position: Int, from: LogIndex, maxBytes: Int) -> SegmentReader.Request {
        let table = index.table(at: position)
        return SegmentReader.Request(
            file: index.segments[position].key,
            locations: table?.locations(from: from, maxBytes: maxBytes, flushed: flushedIndex),
            from: from, maxBytes: maxBytes, flushed: flushedIndex)
    }

    private func submit<Unit: Sendable>(
        _ request: SegmentReader.Request, _ again: @escaping () -> Void,
        _ completion: @escaping (Result<[Unit], StorageError>) -> Void,
        _ job: @escaping @Sendable (SegmentReader, SegmentReader.Request) throws(StorageError) ->
            SegmentReader.Answer<Unit>
    ) {
        let pending = NIOLoopBound(
            PendingRead<Unit>(
                log: self, request: request, truncations: truncations, again: again, completion: completion),
            eventLoop: eventLoop)
        let loop = eventLoop
        let reader = reader
        readExecutor.submit {
            let result = Result { () throws(StorageError) in try job(reader, request) }
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
    private struct PendingRead<Unit: Sendable> {
        let log: SegmentLog
        let request: SegmentReader.Request
        let truncations: Int
        /// What stands there now may be in memory only.
        let again: () -> Void
        let completion: (Result<[Unit], StorageError>) -> Void

        func finish(_ result: Result<SegmentReader.Answer<Unit>, StorageError>) {
            let position = log.index.find(request.from)
            // While the job ran its blocks may have been cut off and overwritten, or their file reclaimed and reused:
            // then neither what it read nor its error means anything.
            guard position.map({ log.index.segments[$0].key }) == request.file, log.truncations == truncations else {
                return again()
            }
            if case .success(let answer) = result, let table = answer.table, let position,
                position < log.index.segments.count - 1
            {
                log.index.keep(table, at: position)
            }
            completion(result.map(\.units))
        }
    }
}
