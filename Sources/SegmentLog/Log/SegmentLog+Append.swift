import Basics
import NIOCore

extension SegmentLog {
    /// Leader: gives a block its place behind the log's end, puts it in memory and queues its write. `onFlushed` tells
    /// when it is stored. A base that is not the next index, or a term below the last, traps.
    ///
    /// - Parameter token: comes back in `onFlushed`; meaningless to the log.
    @discardableResult
    public func append(_ encoded: EncodedBlock, base: LogIndex, term: Term, token: UInt64) -> Block {
        eventLoop.assertInEventLoop()
        let block = encoded.stamp(base: base, term: term, segment: segmentForNextBlock(base, encoded.encodedSize))
        let problem = orderProblem(block)
        invariant(problem == nil, "\(problem.map { "\($0)" } ?? "")")
        place(block, token: token)
        return block
    }

    /// Follower: stores a leader's block as it is, in the segment that it names.
    public func append(_ block: Block, token: UInt64) throws(BlockOrderError) {
        eventLoop.assertInEventLoop()
        if let problem = orderProblem(block) { throw problem }
        place(block, token: token)
    }

    /// Makes a hard state durable, in order with the appends around it. `completion` is not called if the log fails
    /// first.
    public func saveHardState(_ record: HardStateRecord, completion: @escaping () -> Void) {
        eventLoop.assertInEventLoop()
        hardState = record
        guard failure == nil else { return }
        hardStateCompletions.append(completion)
        submit(.saveHardState(record))
    }

    /// Forgets the blocks in memory that end below `index`; never those that aren't stored yet.
    public func evict(below index: LogIndex) {
        eventLoop.assertInEventLoop()
        ring.evict(below: min(index, flushedIndex.next))
    }

    /// Stores what was appended, leaves word that all of it is stored, and closes the files. `completion` is called in
    /// any case, also after a failure. The log takes no more calls.
    public func close(completion: @escaping () -> Void) {
        eventLoop.assertInEventLoop()
        guard let writer else { return completion() }
        closeCompletions.append(completion)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let loop = eventLoop
        writer.submit(.close) { report in loop.execute { bound.value.groupEnded(report) } }
    }

    private func segmentForNextBlock(_ base: LogIndex, _ size: Int) -> LogIndex {
        guard let active = index.active, active.end + size <= options.segmentBytes else { return base }
        return active.base
    }

    private func orderProblem(_ block: Block) -> BlockOrderError? {
        guard block.shard == options.shard else { return .wrongShard(expected: options.shard, found: block.shard) }
        let active = index.active
        if let active, block.base != active.last.next {
            return .notNext(expected: active.last.next, found: block.base)
        }
        guard block.term >= lastTerm else { return .termWentBack(last: lastTerm, found: block.term) }
        guard block.segment == active?.base || block.segment == block.base else {
            return .wrongSegment(active: active?.base ?? .zero, found: block.segment)
        }
        return nil
    }

    private func place(_ block: Block, token: UInt64) {
        invariant(writer != nil, "the log was opened read-only")
        let beginsSegment = block.segment == block.base
        let roll = beginsSegment ? WriteCommand.Roll(base: block.base, sealing: index.roll(to: block.base)) : nil
        let position = index.active?.end ?? 0
        index.append(BlockLocation(block.header, at: position))
        terms.note(block.base, block.term)
        ring.append(block)
        submit(.append(.init(roll: roll, position: position, bytes: block.bytes, last: block.last, token: token)))
    }
}
