import Basics
import DequeModule
import Logging
import RaftCore
import SegmentLog

/// Steps E and F: committed blocks go to the state machine, then everybody who waited for them is answered.
extension RaftNode {
    /// Bytes of the log read at a time when committed blocks are no longer in memory (after a start).
    private static var replayBytes: Int { 8.mebibytes }
    /// Bytes of the log whose heads are read at a time.
    private static var replayHeadsBytes: Int { 32.mebibytes }

    func applyCommitted() {
        guard !isReplaying else { return }
        let before = appliedIndex
        while appliedIndex < core.commitIndex {
            guard let block = log.block(containing: appliedIndex.next) else {
                replay()
                break
            }
            // A leader may learn of a commit in the middle of nothing: blocks commit whole.
            invariant(block.last <= core.commitIndex, "a block commits as a whole")
            apply(committed(block))
        }
        guard appliedIndex > before else { return }
        noteCatchingUp()
        onApplied?()
        // What was held back by the bound on uncommitted bytes may go on.
        if !pending.isEmpty { scheduleDrain() }
    }

    /// What the state machine answered to the command at `index`. To be asked by that command's completion, and by
    /// nobody later.
    public func response(at index: LogIndex) -> Machine.Response {
        let position = responses.count - 1 - (appliedIndex - index)
        invariant(position >= 0 && position < responses.count, "the response at \(index) is not at hand (any more)")
        return responses[position]
    }

    private func noteCatchingUp() {
        guard !hasCaughtUp, appliedIndex == core.commitIndex else { return }
        hasCaughtUp = core.term(at: appliedIndex) == core.status.term
    }

    private func committed(_ block: Block) -> CommittedBlock {
        guard Machine.readsPayloads else {
            return CommittedBlock(term: block.term, segment: block.segment, entries: block.entries, payload: nil)
        }
        do {
            return CommittedBlock(
                term: block.term, segment: block.segment, entries: block.entries, payload: try block.payload())
        } catch {
            // Its checksums were right, so the leader stored a payload that nobody can read: going on would let
            // replicas differ.
            preconditionFailure("block \(block.base): \(error)")
        }
    }

    private func apply(_ block: CommittedBlock) {
        invariant(block.base == appliedIndex.next, "blocks are applied in order: \(block.base) after \(appliedIndex)")
        machine.apply(block, responses: &responses)
        invariant(responses.count == block.entries.count, "the state machine answers every entry")
        appliedIndex = block.last
        if !inflight.isEmpty, inflight[0].base == block.base, let waiters = inflight.popFirst()?.waiters {
            // By index, as `RaftNode.waiting` says.
            for position in 0..<waiters.count {
                waiters[position].complete?(.success(block.base + position))
            }
        }
        responses.removeAll(keepingCapacity: true)
    }

    /// Reads committed blocks that are not in memory, applies them, and goes on.
    private func replay() {
        isReplaying = true
        if Machine.readsPayloads {
            log.read(from: appliedIndex.next, maxBytes: Self.replayBytes, decompress: true) { [weak self] result in
                guard let self else { return }
                self.replayed(result.map { blocks in blocks.map { self.committed($0) } })
            }
        } else {
            log.readHeads(from: appliedIndex.next, maxBytes: Self.replayHeadsBytes) { [weak self] result in
                self?.replayed(result.map { blocks in
                    blocks.map {
                        CommittedBlock(
                            term: $0.term, segment: $0.header.segment, entries: $0.entries, payload: nil)
                    }
                })
            }
        }
    }

    private func replayed(_ result: Result<[CommittedBlock], StorageError>) {
        isReplaying = false
        guard !isShutDown else { return }
        switch result {
        case .success(let blocks):
            for block in blocks where block.last <= core.commitIndex { apply(block) }
            noteCatchingUp()
            onApplied?()
            applyCommitted()
        case .failure(let error):
            logger.critical("cannot read the log to apply it", metadata: [
                "index": "\(appliedIndex.next)", "error": "\(error)",
            ])
            storageBecameUnreadable(error)
        }
    }
}
