import Basics
import DequeModule
import NIOCore
import RaftCore
import SegmentLog

/// Steps A and B: a command joins the pending list, and all that is pending becomes blocks.
extension RaftNode {
    /// Proposes a command and returns at once; `completion` is called when it is applied, or cannot be.
    ///
    /// - Parameters:
    ///   - head: the bytes that stay uncompressed in the block's directory, at most 65,535.
    ///   - payload: the bytes that may be compressed.
    ///   - isCompressed: whether the payload is compressed already, so that trying again would be a waste.
    public func propose(
        type: EntryType = .command, head: ByteBuffer, payload: ByteBuffer, isCompressed: Bool = false,
        completion: Completion?
    ) {
        loop.preconditionInEventLoop()
        let entry = Entry(type: type, head: head, payload: payload, isCompressed: isCompressed)
        if let error = reasonToRefuse(entry) {
            completion?(.failure(error))
            return
        }
        pending.append(Pending(entry: entry, completion: completion))
        pendingBytes += entry.encodedBytes
        scheduleDrain()
    }

    private func reasonToRefuse(_ entry: Entry) -> RaftError? {
        if isShutDown { return .shutdown }
        if storageFailure != nil { return .storageFailed }
        if core.status.role != .leader { return .notLeader(leader: core.status.leader) }
        if entry.payload.readableBytes > BlockLimits.entryPayloadBytesMax {
            return .commandTooLarge(bytes: entry.payload.readableBytes, limit: BlockLimits.entryPayloadBytesMax)
        }
        // When nothing waits a command is taken whatever its size, or one above the bound could never be.
        guard pendingBytes > 0 else { return nil }
        return pendingBytes + entry.encodedBytes > configuration.pendingBytesMax ? .overloaded : nil
    }

    /// Drains at the end of the loop's turn, so that everything read from all sockets in this turn shares a block.
    func scheduleDrain() {
        guard !isDrainScheduled else { return }
        isDrainScheduled = true
        loop.assumeIsolated().execute { [weak self] in
            self?.isDrainScheduled = false
            self?.drain()
        }
    }

    /// Turns what is pending into blocks: the group commit.
    ///
    /// While a flush runs, less than a full block waits for it to end: it could not be written earlier anyway, and it
    /// shares its block and its flush with what arrives meanwhile. No timer is involved.
    func drain() {
        guard !isShutDown, noopIsProposed else { return }
        while !pending.isEmpty, core.acceptsProposals, encoder.hasRoom {
            let isFlushing = core.flushedIndex < core.lastIndex || encoder.isBusy
            if isFlushing, pendingBytes < BlockLimits.targetBytes { return }
            let block = takeBlock()
            // Closures, since a key path into a generic type is made anew at each use.
            encode(block.map { $0.entry }, block.map { $0.completion })
        }
    }

    /// Takes a block's worth of entries from the front of the pending list, which is not empty.
    private func takeBlock() -> [Pending] {
        var block: [Pending] = []
        var bytes = 0
        while let next = pending.first, block.count < log.entriesPerBlockMax,
            block.isEmpty || bytes + next.entry.encodedBytes <= BlockLimits.targetBytes
        {
            bytes += next.entry.encodedBytes
            block.append(pending.removeFirst())
        }
        pendingBytes -= bytes
        return block
    }

    private func encode(_ entries: [Entry], _ completions: [Completion?]) {
        encoder.encode(entries) { [weak self] block in self?.propose(block, completions) }
    }

    private func propose(_ block: EncodedBlock, _ completions: [Completion?]) {
        guard !isShutDown else {
            for completion in completions { completion?(.failure(.shutdown)) }
            return
        }
        proposals.append(Proposal(block: block, completions: completions))
        step(.propose([ProposedBlock(count: block.count, bytes: block.encodedSize)]))
    }

    func proposeNoop() {
        noopIsProposed = true
        encode([Entry(type: .noop, head: ByteBuffer(), payload: ByteBuffer())], [nil])
        drain()
    }

    func appendProposed(_ infos: [BlockInfo], _ epoch: StorageEpoch) {
        for info in infos {
            let proposal = proposals.removeFirst()
            if noopIndex == nil { noopIndex = info.base }
            let block = log.append(proposal.block, base: info.base, term: info.term, epoch: epoch)
            invariant(block.encodedSize == info.bytes, "stamping does not change a block's size")
            inflight.append(Inflight(base: info.base, completions: proposal.completions))
        }
    }

    func rejectProposal(_ leader: NodeID?) {
        for completion in proposals.removeFirst().completions { completion?(.failure(.notLeader(leader: leader))) }
    }
}
