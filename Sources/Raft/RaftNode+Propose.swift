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
        while !pending.isEmpty, core.acceptsProposals, groupsBeingEncoded < GroupEncoder.groupsMax {
            let isFlushing = core.flushedIndex < core.lastIndex || groupsBeingEncoded > 0
            if isFlushing, pendingBytes < BlockLimits.targetBytes { return }
            encode(takeGroup())
        }
    }

    /// Takes whole blocks' worth of entries from the front of the pending list, up to the encoder's group size.
    private func takeGroup() -> [[Pending]] {
        var group: [[Pending]] = []
        var groupBytes = 0
        while groupBytes < GroupEncoder.groupBytesMax, let first = pending.popFirst() {
            var block = [first]
            var bytes = first.entry.encodedBytes
            while let next = pending.first, block.count < log.entriesPerBlockMax,
                bytes + next.entry.encodedBytes <= BlockLimits.targetBytes
            {
                bytes += next.entry.encodedBytes
                block.append(pending.removeFirst())
            }
            groupBytes += bytes
            group.append(block)
        }
        pendingBytes -= groupBytes
        return group
    }

    private func encode(_ group: [[Pending]]) {
        let blocks = group.map { $0.map(\.entry) }
        let completions = group.map { $0.map(\.completion) }
        let bytes = blocks.reduce(0) { $0 + $1.reduce(0) { $0 + $1.encodedBytes } }
        if groupsBeingEncoded == 0, bytes <= configuration.inlineEncodingBytesMax || configuration.compression == .off {
            propose(encoder.encodeInline(blocks), completions)
            return
        }
        groupsBeingEncoded += 1
        encoder.encode(blocks) { [weak self] encoded in
            guard let self else { return }
            self.groupsBeingEncoded -= 1
            self.propose(encoded, completions)
            self.drain()
        }
    }

    private func propose(_ blocks: [EncodedBlock], _ completions: [[Completion?]]) {
        guard !isShutDown else {
            for completion in completions.joined() { completion?(.failure(.shutdown)) }
            return
        }
        proposals.append(zip(blocks, completions).map { Proposal(block: $0, completions: $1) })
        step(.propose(blocks.map { ProposedBlock(count: $0.count, bytes: $0.encodedSize) }))
    }

    func proposeNoop() {
        let noop = encoder.encodeInline([[Entry(type: .noop, head: ByteBuffer(), payload: ByteBuffer())]])
        noopIsProposed = true
        propose(noop, [[nil]])
        drain()
    }

    func appendProposed(_ infos: [BlockInfo], _ epoch: StorageEpoch) {
        let group = proposals.removeFirst()
        invariant(group.count == infos.count, "each proposed block gets one place")
        if noopIndex == nil { noopIndex = infos[0].base }
        for (proposal, info) in zip(group, infos) {
            let block = log.append(proposal.block, base: info.base, term: info.term, epoch: epoch)
            invariant(block.encodedSize == info.bytes, "stamping does not change a block's size")
            inflight.append(Inflight(base: info.base, completions: proposal.completions))
        }
    }

    func rejectProposal(_ leader: NodeID?) {
        for proposal in proposals.removeFirst() {
            for completion in proposal.completions { completion?(.failure(.notLeader(leader: leader))) }
        }
    }
}
