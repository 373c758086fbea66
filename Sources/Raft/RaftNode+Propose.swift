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
        propose(type: type, payload: payload, isCompressed: isCompressed, completion: completion) {
            $0.writeImmutableBuffer(head)
        }
    }

    /// The same with a head that is written to where the pending heads are: one for each command costs no memory of its
    /// own.
    ///
    /// - Parameters:
    ///   - payloadChecksum: the payload's CRC-32C, if it is known. A wrong one makes a block that no follower takes.
    ///   - writeHead: appends the head, and does nothing else. Not called when the command is refused.
    public func propose(
        type: EntryType = .command, payload: ByteBuffer, isCompressed: Bool = false, payloadChecksum: UInt32? = nil,
        completion: Completion?, writeHead: (inout ByteBuffer) -> Void
    ) {
        loop.preconditionInEventLoop()
        if let error = reasonToRefuse(payload) {
            completion?(.failure(error))
            return
        }
        pending.append(
            type, payload, isCompressed: isCompressed, payloadChecksum: payloadChecksum, writeHead)
        waiting.append(Waiter(complete: completion))
        scheduleDrain()
    }

    private func reasonToRefuse(_ payload: ByteBuffer) -> RaftError? {
        if isShutDown { return .shutdown }
        if storageFailure != nil { return .storageFailed }
        if core.status.role != .leader { return .notLeader(leader: core.status.leader) }
        let bytes = payload.readableBytes
        if bytes > BlockLimits.entryPayloadBytesMax {
            return .commandTooLarge(bytes: bytes, limit: BlockLimits.entryPayloadBytesMax)
        }
        // When nothing waits a command is taken whatever its size, or one above the bound could never be.
        // Its head is not written yet, and goes beyond the bound by `headBytesMax` at most.
        guard !pending.isEmpty else { return nil }
        return pendingBytes + bytes > configuration.pendingBytesMax ? .overloaded : nil
    }

    /// Drains at the end of the loop's turn, so that everything read from all sockets in this turn shares a block.
    func scheduleDrain() {
        guard !isDrainScheduled else { return }
        isDrainScheduled = true
        loop.assumeIsolated().execute(drainAtTurnsEnd)
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
            let entries = pending.takeBlock(entriesMax: log.entriesPerBlockMax)
            encoder.encode(entries, for: takeWaiters(entries.count))
        }
    }

    private func takeWaiters(_ count: Int) -> [Waiter] {
        var taken: [Waiter] = []
        taken.reserveCapacity(count)
        while taken.count < count, let waiter = waiting.popFirst() { taken.append(waiter) }
        return taken
    }

    func propose(_ block: EncodedBlock, for waiters: [Waiter]) {
        guard !isShutDown else {
            for waiter in waiters { waiter.complete?(.failure(.shutdown)) }
            return
        }
        proposals.append(Proposal(block: block, waiters: waiters))
        step(.propose([ProposedBlock(count: block.count, bytes: block.encodedSize)]))
    }

    func proposeNoop() {
        noopIsProposed = true
        let noop = Entry(type: .noop, head: ByteBuffer(), payload: ByteBuffer())
        encoder.encode([noop], for: [Waiter(complete: nil)])
        drain()
    }

    func appendProposed(_ infos: [BlockInfo], _ epoch: StorageEpoch) {
        for info in infos {
            let proposal = proposals.removeFirst()
            if noopIndex == nil { noopIndex = info.base }
            let block = log.append(proposal.block, base: info.base, term: info.term, epoch: epoch)
            invariant(block.encodedSize == info.bytes, "stamping does not change a block's size")
            inflight.append(Inflight(base: info.base, waiters: proposal.waiters))
        }
    }

    func rejectProposal(_ leader: NodeID?) {
        for waiter in proposals.removeFirst().waiters { waiter.complete?(.failure(.notLeader(leader: leader))) }
    }
}
