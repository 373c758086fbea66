import Basics

extension Leader {
    /// Sends what the peer lacks, until it is all under way or the window is full.
    mutating func replicate(toPeerAt i: Int, _ replica: inout Replica) {
        let configuration = replica.configuration
        while peers[i].state == .replicate, !peers[i].isReading, peers[i].next <= replica.log.lastIndex,
            peers[i].hasWindow(bytesMax: configuration.inflightBytesMax)
        {
            guard peers[i].next >= replica.log.tailFirstIndex else {
                peers[i].reading()
                replica.outbox.emit(
                    .readBlocks(
                        to: peers[i].id, epoch: peers[i].epoch, from: peers[i].next,
                        maxBytes: configuration.appendBytesMax))
                return
            }
            send(
                replica.log.tailBlocks(from: peers[i].next, maxBytes: configuration.appendBytesMax), toPeerAt: i,
                &replica)
        }
    }

    /// Takes blocks that were read from the log. None at all means that the read failed: the next heartbeat begins
    /// anew.
    mutating func blocksRead(
        _ blocks: [BlockInfo], to id: NodeID, epoch: ReplicationEpoch, _ replica: inout Replica, now: Instant
    ) {
        guard let i = peers.firstIndex(where: { $0.id == id }), peers[i].epoch == epoch, peers[i].isReading else {
            return
        }
        guard let last = blocks.last else {
            peers[i].probe(from: peers[i].match.next, epoch: replica.newReplicationEpoch(), now: now)
            return
        }
        invariant(last.last <= replica.log.lastIndex, "read \(last) behind \(replica.log.lastIndex)")
        // An acknowledgement may have overtaken the read, if an earlier epoch's blocks arrived after all.
        if last.last < peers[i].next {
            peers[i].readSuperseded()
        } else {
            send(blocks, toPeerAt: i, &replica)
        }
        replicate(toPeerAt: i, &replica)
    }

    mutating func disconnected(_ id: NodeID, _ replica: inout Replica, now: Instant) {
        guard let i = peers.firstIndex(where: { $0.id == id }) else { return }
        peers[i].probe(from: peers[i].match.next, epoch: replica.newReplicationEpoch(), now: now)
    }

    /// Whether an answer to a probe at `next - 1` says anything: the leader must know the term there. It doesn't when
    /// the front of its log was reclaimed; such a peer needs a snapshot, and is kept quiet by heartbeats until then.
    func canProve(_ peer: Progress, _ replica: Replica) -> Bool {
        replica.log.term(at: peer.next.previous) != nil
    }

    mutating func send(_ blocks: [BlockInfo], toPeerAt i: Int, _ replica: inout Replica) {
        let peer = peers[i]
        var previous = blocks.first?.base.previous ?? peer.next.previous
        if blocks.isEmpty, !canProve(peer, replica) { previous = .zero }
        let request = AppendRequest(
            term: term, epoch: peer.epoch, previousIndex: previous,
            // A first block whose predecessor was reclaimed: the follower has proved to be beyond it.
            previousTerm: replica.log.term(at: previous) ?? .zero,
            commit: replica.commitIndex, round: rounds.current, blocks: blocks)
        if !blocks.isEmpty { peers[i].sent(blocks) }
        peers[i].announced(commit: replica.commitIndex)
        replica.outbox.send(.appendRequest(request), to: peer.id)
    }
}
