import Basics

/// Elections: pre-vote (thesis §9.6), votes (paper §5.2, §5.4.1), and the changes of role.
extension Core {
    // MARK: Time

    mutating func tick(now: Instant) {
        switch role {
        case .follower(let follower):
            if now >= follower.deadline { startPreVote(now: now) }
        case .preCandidate(let campaign), .candidate(let campaign):
            if now >= campaign.deadline { startPreVote(now: now) }
        case .leader(let leader):
            // A leader that a quorum no longer answers may have been replaced; were it to go on with its heartbeats, it
            // would keep those who still hear it from electing another one. A leader whose disk stands still would
            // keep everybody waiting.
            if now >= leader.leaseEnd(configuration) || replica.isStorageStalled(at: now) {
                return becomeFollower(of: nil, now: now)
            }
            lead { leader, replica in leader.tick(&replica, now: now) }
        }
    }

    /// A connection to the leader that breaks is the first sign of its end: a process that dies is missed at once, not
    /// only after an election timeout. Should the leader live, the others still trust it, and refuse the pre-vote.
    mutating func lostLeader(_ peer: NodeID, now: Instant) {
        guard case .follower(var follower) = role, follower.leader == peer else { return }
        let patience = (replica.drawElectionTimeout() - configuration.electionTimeout) / 2
        follower.lostLeader(deadline: now + patience)
        role = .follower(follower)
    }

    // MARK: Campaign

    /// Asks whether an election could be won, without raising the term: a server that was cut off comes back without
    /// disturbing the leader.
    private mutating func startPreVote(now: Instant) {
        // With a disk that stands still it could win, but its own log would lag for ever.
        guard !replica.isStorageStalled(at: now) else { return becomeFollower(of: nil, now: now) }
        var campaign = Campaign(deadline: now + replica.drawElectionTimeout())
        let granted = campaign.grant(by: replica.id)
        role = .preCandidate(campaign)
        if granted >= replica.quorumSize { return startElection() }
        announce()
        broadcast(.preVoteRequest(voteRequest(term: replica.term.next)))
    }

    /// Stands for election in the next term. The own vote counts, and the requests leave, when the vote is on stable
    /// storage: else a crash could make this server vote again in the same term.
    private mutating func startElection() {
        replica.outbox.change(to: HardState(term: replica.term.next, votedFor: replica.id))
        // The time runs from the moment the requests leave, or a slow disk could never win.
        role = .candidate(Campaign(deadline: .distantFuture))
        announce()
        broadcast(.voteRequest(voteRequest(term: replica.term)))
    }

    mutating func countOwnVote(now: Instant) {
        guard case .candidate = role else { return }
        invariant(
            replica.hardState.votedFor == replica.id, "a candidate that voted for somebody else: \(replica.hardState)")
        role = .candidate(Campaign(deadline: now + replica.drawElectionTimeout()))
        countVote(of: replica.id, now: now)
    }

    private func voteRequest(term: Term) -> VoteRequest {
        VoteRequest(term: term, lastIndex: replica.log.lastIndex, lastTerm: replica.log.lastTerm)
    }

    private mutating func broadcast(_ message: Message) {
        for peer in replica.peers { replica.outbox.send(message, to: peer) }
    }

    private mutating func countVote(of voter: NodeID, now: Instant) {
        guard case .candidate(var campaign) = role else { return }
        let granted = campaign.grant(by: voter)
        role = .candidate(campaign)
        if granted >= replica.quorumSize { becomeLeader(now: now) }
    }

    private mutating func countPreVote(of voter: NodeID, now: Instant) {
        guard case .preCandidate(var campaign) = role else { return }
        let granted = campaign.grant(by: voter)
        role = .preCandidate(campaign)
        if granted >= replica.quorumSize { startElection() }
    }

    // MARK: Messages

    mutating func receive(_ message: Message, from sender: NodeID, now: Instant) {
        switch message {
        case .preVoteRequest(let request): receivePreVote(request, from: sender, now: now)
        case .voteRequest(let request): receiveVote(request, from: sender, now: now)
        case .preVoteResponse(let response): receivePreVote(response, from: sender, now: now)
        case .voteResponse(let response):
            if response.term > replica.term {
                becomeFollower(of: nil, HardState(term: response.term), now: now)
            } else if response.granted, response.term == replica.term {
                countVote(of: sender, now: now)
            }
        case .appendRequest(let request): receiveAppend(request, from: sender, now: now)
        case .appendResponse(let response):
            if response.term > replica.term {
                becomeFollower(of: nil, HardState(term: response.term), now: now)
            } else if response.term == replica.term {
                lead { leader, replica in leader.receive(response, from: sender, &replica, now: now) }
            }
        }
    }

    /// A pre-vote changes nothing here: it only says what the answer to a vote would be.
    private mutating func receivePreVote(_ request: VoteRequest, from sender: NodeID, now: Instant) {
        let granted = !trustsLeader(now: now) && wouldVote(for: sender, request)
        let response = VoteResponse(term: granted ? request.term : replica.term, granted: granted)
        replica.outbox.send(.preVoteResponse(response), to: sender)
    }

    private mutating func receivePreVote(_ response: VoteResponse, from sender: NodeID, now: Instant) {
        if response.granted {
            if response.term == replica.term.next { countPreVote(of: sender, now: now) }
        } else if response.term > replica.term {
            becomeFollower(of: nil, HardState(term: response.term), now: now)
        }
    }

    /// Leader stickiness: while the leader is heard, a candidate's newer term is not even taken notice of, or a server
    /// that can't hear the leader could depose it again and again.
    private mutating func receiveVote(_ request: VoteRequest, from sender: NodeID, now: Instant) {
        let isSticky = trustsLeader(now: now)
        let granted = !isSticky && wouldVote(for: sender, request)
        let state = HardState(term: request.term, votedFor: granted ? sender : nil)
        // A vote is also a promise to wait for its outcome: whatever this server was about to do itself ends.
        if granted ? state != replica.hardState : !isSticky && request.term > replica.term {
            becomeFollower(of: nil, state, now: now)
        }
        let response = VoteResponse(term: replica.term, granted: granted)
        replica.outbox.send(.voteResponse(response), to: sender)
    }

    /// One vote a term, and only for a log that has all that may be committed (paper §5.4.1).
    private func wouldVote(for candidate: NodeID, _ request: VoteRequest) -> Bool {
        let state = replica.hardState
        guard request.term >= state.term else { return false }
        let isFree = request.term > state.term || state.votedFor == nil || state.votedFor == candidate
        let own = (replica.log.lastTerm, replica.log.lastIndex)
        return isFree && (request.lastTerm, request.lastIndex) >= own
    }

    private func trustsLeader(now: Instant) -> Bool {
        switch role {
        case .follower(let follower): follower.trustsLeader(configuration, now: now)
        case .preCandidate, .candidate: false
        // Its lease is checked with each tick; until then it leads.
        case .leader: true
        }
    }

    private mutating func receiveAppend(_ request: AppendRequest, from sender: NodeID, now: Instant) {
        guard request.term >= replica.term else {
            // Tells a leader of the past that it is one, and lets a server whose term ran ahead be led again.
            let outcome = AppendResponse.Outcome.conflict(
                rejected: request.previousIndex, hintIndex: .zero, hintTerm: .zero)
            let response = AppendResponse(
                term: replica.term, epoch: request.epoch, round: request.round, outcome: outcome)
            return replica.outbox.send(.appendResponse(response), to: sender)
        }
        if request.term > replica.term {
            becomeFollower(of: sender, HardState(term: request.term), now: now)
        } else if status.leader == nil {
            becomeFollower(of: sender, now: now)
        }
        // Two leaders of one term can't be; whoever claims it is not listened to.
        guard case .follower(var follower) = role, follower.leader == sender else { return }
        follower.receive(request, from: sender, &replica, now: now)
        role = .follower(follower)
    }

    // MARK: Transitions

    /// The only way back to follower. What the old role had is gone, after those who wait for it have been told.
    mutating func becomeFollower(of leader: NodeID?, _ state: HardState? = nil, now: Instant) {
        if case .leader(let leader) = role {
            for id in leader.rounds.ids { replica.outbox.emit(.verificationFailed(id: id)) }
        }
        if let state { replica.outbox.change(to: state) }
        let timeout = replica.drawElectionTimeout()
        role = .follower(Follower(leader: leader, verified: replica.commitIndex, timeout: timeout, now: now))
        announce()
    }

    private mutating func becomeLeader(now: Instant) {
        invariant(replica.hardState.votedFor == replica.id, "leader without its own vote: \(replica.hardState)")
        role = .leader(Leader(&replica, now: now))
        announce()
        replica.outbox.emit(.proposeNoop)
        lead { leader, replica in leader.start(&replica, now: now) }
    }
}
