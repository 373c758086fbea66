import Basics
import Testing

@testable import RaftCore

@Suite struct CoreTests {
    private static let voters = [NodeID(1), NodeID(2), NodeID(3)]

    private func makeCore(
        hardState: HardState = HardState(), log: RecoveredLog = RecoveredLog(),
        _ configure: (inout CoreConfiguration) -> Void = { _ in }
    ) -> Core {
        var configuration = CoreConfiguration(id: NodeID(1), voters: Self.voters)
        configure(&configuration)
        return Core(configuration, hardState: hardState, log: log, seed: 1, now: .zero)
    }

    private func log(last: UInt64, term: UInt64, first: UInt64 = 1) -> RecoveredLog {
        RecoveredLog(
            firstIndex: LogIndex(first), lastIndex: LogIndex(last),
            termStarts: [.init(index: LogIndex(first), term: Term(term))])
    }

    private func step(_ core: inout Core, _ event: Event, at milliseconds: Int64 = 0) -> [Action] {
        var actions: [Action] = []
        core.step(event, now: .zero + .milliseconds(milliseconds), into: &actions)
        return actions
    }

    private func expect(
        _ core: inout Core, _ event: Event, at milliseconds: Int64 = 0, gives expected: [Action],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let actions = step(&core, event, at: milliseconds)
        #expect(actions == expected, "\(event)", sourceLocation: sourceLocation)
    }

    private func append(
        term: UInt64, previous: UInt64 = 0, previousTerm: UInt64 = 0, commit: UInt64 = 0, _ blocks: [BlockInfo] = []
    ) -> Event {
        .message(
            from: NodeID(2),
            .appendRequest(
                AppendRequest(
                    term: Term(term), epoch: 1, previousIndex: LogIndex(previous), previousTerm: Term(previousTerm),
                    commit: LogIndex(commit), round: 0, blocks: blocks)))
    }

    private func block(_ base: UInt64, _ count: Int, term: UInt64, bytes: Int = 10) -> BlockInfo {
        BlockInfo(base: LogIndex(base), count: count, term: Term(term), bytes: bytes)
    }

    /// Node 1 elected by node 2 in the term after `core`'s, its no-op not yet proposed.
    private func elect(_ core: inout Core, at milliseconds: Int64 = 2_000) {
        let term = core.hardState.term.next
        _ = step(&core, .tick, at: milliseconds)
        let granted = VoteResponse(term: term, granted: true)
        _ = step(&core, .message(from: NodeID(2), .preVoteResponse(granted)), at: milliseconds)
        _ = step(&core, .persisted(core.hardState), at: milliseconds)
        let actions = step(&core, .message(from: NodeID(2), .voteResponse(granted)), at: milliseconds)
        #expect(actions.prefix(2) == [.statusChanged(core.status), .proposeNoop])
        #expect(core.status == Status(role: .leader, term: term, leader: NodeID(1)))
    }

    // MARK: Recovery

    @Test("a log newer than the hard state raises the term, and nothing is said before that is stable")
    func termFromLog() {
        var core = makeCore(hardState: HardState(term: Term(3), votedFor: NodeID(2)), log: log(last: 5, term: 4))
        #expect(core.hardState == HardState(term: Term(4)))
        let request = VoteRequest(term: Term(4), lastIndex: LogIndex(5), lastTerm: Term(3))
        let actions = step(&core, .message(from: NodeID(3), .preVoteRequest(request)))
        #expect(actions == [.persist(HardState(term: Term(4)))])
        let refused = VoteResponse(term: Term(4), granted: false)
        expect(
            &core, .persisted(HardState(term: Term(4))),
            gives: [.send(to: NodeID(3), .preVoteResponse(refused))])
    }

    @Test("what was reclaimed counts as committed")
    func reclaimed() {
        let core = makeCore(hardState: HardState(term: Term(2)), log: log(last: 20, term: 2, first: 11))
        #expect(core.commitIndex == LogIndex(10))
        #expect(core.flushedIndex == LogIndex(20))
        #expect(core.term(at: LogIndex(10)) == nil)
    }

    // MARK: Input

    @Test(
        "a message that contradicts itself changes nothing",
        arguments: [
            AppendRequest(
                term: .zero, epoch: 1, previousIndex: .zero, previousTerm: .zero, commit: .zero, round: 0, blocks: []),
            AppendRequest(
                term: Term(.max), epoch: 1, previousIndex: .zero, previousTerm: .zero, commit: .zero, round: 0,
                blocks: []),
            AppendRequest(
                term: Term(2), epoch: 1, previousIndex: LogIndex(.max), previousTerm: .zero, commit: .zero, round: 0,
                blocks: []),
            AppendRequest(
                term: Term(2), epoch: 1, previousIndex: LogIndex(4), previousTerm: Term(3), commit: .zero, round: 0,
                blocks: []),
            // Blocks with a gap, without entries, of negative size, of falling terms, of a term above the leader's.
            AppendRequest(
                term: Term(2), epoch: 1, previousIndex: .zero, previousTerm: .zero, commit: .zero, round: 0,
                blocks: [BlockInfo(base: LogIndex(2), count: 1, term: Term(1), bytes: 1)]),
            AppendRequest(
                term: Term(2), epoch: 1, previousIndex: .zero, previousTerm: .zero, commit: .zero, round: 0,
                blocks: [BlockInfo(base: LogIndex(1), count: 0, term: Term(1), bytes: 1)]),
            AppendRequest(
                term: Term(2), epoch: 1, previousIndex: .zero, previousTerm: .zero, commit: .zero, round: 0,
                blocks: [BlockInfo(base: LogIndex(1), count: .max, term: Term(1), bytes: 1)]),
            AppendRequest(
                term: Term(2), epoch: 1, previousIndex: .zero, previousTerm: .zero, commit: .zero, round: 0,
                blocks: [BlockInfo(base: LogIndex(1), count: 1, term: Term(1), bytes: -1)]),
            AppendRequest(
                term: Term(2), epoch: 1, previousIndex: .zero, previousTerm: .zero, commit: .zero, round: 0,
                blocks: [
                    BlockInfo(base: LogIndex(1), count: 1, term: Term(2), bytes: 1),
                    BlockInfo(base: LogIndex(2), count: 1, term: Term(1), bytes: 1),
                ]),
            AppendRequest(
                term: Term(2), epoch: 1, previousIndex: .zero, previousTerm: .zero, commit: .zero, round: 0,
                blocks: [BlockInfo(base: LogIndex(1), count: 1, term: Term(3), bytes: 1)]),
        ])
    func malformedAppend(request: AppendRequest) {
        var core = makeCore()
        expect(&core, .message(from: NodeID(2), .appendRequest(request)), gives: [])
        #expect(core.status == Status(role: .follower, term: .zero, leader: nil))
    }

    @Test("votes and answers with impossible numbers change nothing, at a leader either")
    func malformedOthers() {
        var core = makeCore()
        elect(&core)
        let huge = VoteRequest(term: Term(.max), lastIndex: .zero, lastTerm: .zero)
        let fromTheFuture = VoteRequest(term: Term(5), lastIndex: LogIndex(1), lastTerm: Term(5))
        let far = AppendResponse.Outcome.matched(flushed: LogIndex(99))
        let forward = AppendResponse.Outcome.conflict(
            rejected: .zero, hintIndex: LogIndex(7), hintTerm: Term(1))
        let before = core.peers
        for message: Message in [
            .voteRequest(huge), .preVoteRequest(fromTheFuture), .voteResponse(.init(term: Term(.max), granted: true)),
            .appendResponse(.init(term: Term(1), epoch: 1, round: 0, outcome: far)),
            .appendResponse(.init(term: Term(1), epoch: 1, round: 0, outcome: forward)),
            .appendResponse(.init(term: Term(1), epoch: 1, round: 9, outcome: .matched(flushed: .zero))),
            .appendResponse(.init(term: Term(.max), epoch: 1, round: 0, outcome: .matched(flushed: .zero))),
        ] {
            expect(&core, .message(from: NodeID(2), message), at: 2_000, gives: [])
        }
        #expect(core.peers == before)
        #expect(core.status.role == .leader)
    }

    @Test("strangers are not listened to, nor is a second leader of the same term")
    func strangers() {
        var core = makeCore()
        let request = VoteRequest(term: Term(1), lastIndex: .zero, lastTerm: .zero)
        expect(&core, .message(from: NodeID(9), .voteRequest(request)), gives: [])
        expect(&core, .message(from: NodeID(1), .voteRequest(request)), gives: [])
        elect(&core)
        expect(&core, append(term: 1), at: 2_000, gives: [])
        #expect(core.status.role == .leader)
    }

    // MARK: Hard state

    @Test("while the hard state is on its way, messages wait, one of each kind for each peer")
    func gateIsBounded() {
        var core = makeCore()
        var actions = step(&core, append(term: 3))
        #expect(actions.contains(.persist(HardState(term: Term(3)))))
        for _ in 0..<1_000 { actions += step(&core, append(term: 3)) }
        #expect(!actions.contains { if case .send = $0 { true } else { false } })
        expect(&core, .persisted(HardState(term: Term(2))), gives: [])
        actions = step(&core, .persisted(HardState(term: Term(3))))
        #expect(actions.count == 1)
    }

    @Test("a newer term silences what the older one still had to say")
    func supersededMessages() {
        var core = makeCore()
        _ = step(&core, append(term: 3))
        _ = step(&core, append(term: 4))
        expect(&core, .persisted(HardState(term: Term(3))), gives: [])
        let answer = AppendResponse(term: Term(4), epoch: 1, round: 0, outcome: .matched(flushed: .zero))
        expect(&core, .persisted(HardState(term: Term(4))), gives: [.send(to: NodeID(2), .appendResponse(answer))])
    }

    // MARK: Follower

    @Test("a suffix of an older leader is not acknowledged, although it is on the disk")
    func unverifiedSuffix() {
        var core = makeCore(hardState: HardState(term: Term(2)), log: log(last: 9, term: 1))
        let actions = step(&core, append(term: 2, previous: 4, previousTerm: 1))
        let answer = AppendResponse(term: Term(2), epoch: 1, round: 0, outcome: .matched(flushed: LogIndex(4)))
        #expect(actions.last == .send(to: NodeID(2), .appendResponse(answer)))
    }

    @Test("a follower commits no further than it has verified and flushed")
    func followerCommit() {
        var core = makeCore(hardState: HardState(term: Term(1)), log: log(last: 2, term: 1))
        let new = [block(3, 2, term: 1), block(5, 2, term: 1)]
        let actions = step(&core, append(term: 1, previous: 2, previousTerm: 1, commit: 9, new))
        #expect(actions.contains(.commit(through: LogIndex(2))))
        for flushed in [LogIndex(4), LogIndex(6)] {
            let actions = step(&core, .flushed(epoch: 0, through: flushed))
            #expect(actions.first == .commit(through: flushed))
        }
    }

    @Test("a conflict in the middle of a request cuts there, keeps what agrees and appends only the rest")
    func conflictInTheMiddle() {
        var core = makeCore(hardState: HardState(term: Term(1)), log: RecoveredLog())
        _ = step(&core, append(term: 1, [block(1, 2, term: 1), block(3, 2, term: 1), block(5, 2, term: 1)]))
        let actions = step(&core, append(term: 3, [block(1, 2, term: 1), block(3, 1, term: 2), block(4, 3, term: 3)]))
        #expect(actions.contains(.truncate(from: LogIndex(3), epoch: 1)))
        #expect(actions.contains(.appendReceived(epoch: 1, [block(3, 1, term: 2), block(4, 3, term: 3)])))
        #expect(core.lastIndex == LogIndex(6))
        #expect(core.term(at: LogIndex(3)) == Term(2))
    }

    @Test("with a reclaimed front, requests that begin below it match, and a refusal names its end")
    func followerWithReclaimedFront() {
        let recovered = RecoveredLog(
            firstIndex: LogIndex(11), lastIndex: LogIndex(20), termStarts: [.init(index: LogIndex(4), term: Term(3))])
        var core = makeCore(hardState: HardState(term: Term(3)), log: recovered)
        let refused = AppendResponse.Outcome.conflict(
            rejected: LogIndex(15), hintIndex: LogIndex(10), hintTerm: Term(2))
        _ = step(&core, append(term: 5, previous: 15, previousTerm: 2))
        expect(
            &core, .persisted(HardState(term: Term(5))),
            gives: [
                .send(
                    to: NodeID(2), .appendResponse(.init(term: Term(5), epoch: 1, round: 0, outcome: refused)))
            ])
        let blocks = [block(8, 3, term: 2), block(11, 4, term: 5)]
        let actions = step(&core, append(term: 5, previous: 7, previousTerm: 1, blocks))
        #expect(
            actions == [
                .truncate(from: LogIndex(11), epoch: 1), .appendReceived(epoch: 1, [block(11, 4, term: 5)]),
            ])
    }

    // MARK: Leader

    @Test("a new leader serves from memory what it received as a follower")
    func tailSurvivesElection() {
        var core = makeCore(hardState: HardState(term: Term(1)))
        _ = step(&core, append(term: 1, [block(1, 4, term: 1), block(5, 4, term: 1)]))
        _ = step(&core, .flushed(epoch: 0, through: LogIndex(8)))
        elect(&core)
        let peer = core.peers[0]
        #expect(peer.next == LogIndex(9))
        let conflict = AppendResponse.Outcome.conflict(rejected: LogIndex(8), hintIndex: LogIndex(2), hintTerm: Term(1))
        let refused = AppendResponse(term: Term(2), epoch: 1, round: 0, outcome: conflict)
        _ = step(&core, .message(from: NodeID(2), .appendResponse(refused)), at: 2_000)
        let matched = AppendResponse(
            term: Term(2), epoch: 3, round: 0, outcome: .matched(flushed: LogIndex(2)))
        let actions = step(&core, .message(from: NodeID(2), .appendResponse(matched)), at: 2_000)
        // Index 3 lies within the first block, which goes out whole.
        let request = AppendRequest(
            term: Term(2), epoch: 3, previousIndex: .zero, previousTerm: .zero, commit: .zero, round: 0,
            blocks: [block(1, 4, term: 1), block(5, 4, term: 1)])
        #expect(actions == [.send(to: NodeID(2), .appendRequest(request))])
    }

    @Test("a peer that needs reclaimed entries is kept quiet with heartbeats, and gets no blocks")
    func strandedPeer() {
        var core = makeCore(hardState: HardState(term: Term(2)), log: log(last: 20, term: 2, first: 11))
        elect(&core)
        let conflict = AppendResponse.Outcome.conflict(
            rejected: LogIndex(20), hintIndex: LogIndex(3), hintTerm: Term(1))
        let refused = AppendResponse(term: Term(3), epoch: 1, round: 0, outcome: conflict)
        let quiet = AppendRequest(
            term: Term(3), epoch: 3, previousIndex: .zero, previousTerm: .zero, commit: LogIndex(10), round: 0,
            blocks: [])
        expect(
            &core, .message(from: NodeID(2), .appendResponse(refused)), at: 2_000,
            gives: [.send(to: NodeID(2), .appendRequest(quiet))])
        let matched = AppendResponse(term: Term(3), epoch: 3, round: 0, outcome: .matched(flushed: LogIndex(3)))
        expect(&core, .message(from: NodeID(2), .appendResponse(matched)), at: 2_000, gives: [])
        #expect(core.peers[0].state == .probe)
    }

    @Test("what is proposed and not committed here and flushed counts against the limit")
    func uncommittedLimit() {
        var core = makeCore { $0.uncommittedBytesMax = 100 }
        #expect(!core.acceptsProposals)
        elect(&core)
        #expect(core.acceptsProposals)
        _ = step(&core, .propose([ProposedBlock(count: 1, bytes: 100)]), at: 2_000)
        #expect(!core.acceptsProposals)
        let matched = AppendResponse.Outcome.matched(flushed: LogIndex(1))
        for (peer, epoch) in [(NodeID(2), UInt64(1)), (NodeID(3), 2)] {
            let response = AppendResponse(term: Term(1), epoch: epoch, round: 0, outcome: matched)
            _ = step(&core, .message(from: peer, .appendResponse(response)), at: 2_000)
        }
        // Committed by the others; the bytes still wait for the own disk.
        #expect(core.commitIndex == LogIndex(1))
        #expect(!core.acceptsProposals)
        _ = step(&core, .flushed(epoch: 0, through: LogIndex(1)), at: 2_000)
        #expect(core.acceptsProposals)
    }

    @Test("a stream of verifications does not put off the heartbeats that find losses")
    func roundsAndHeartbeats() {
        var core = makeCore()
        elect(&core)
        let matched = AppendResponse(term: Term(1), epoch: 2, round: 0, outcome: .matched(flushed: .zero))
        _ = step(&core, .propose([.init(count: 1, bytes: 1)]), at: 2_000)
        _ = step(&core, .message(from: NodeID(3), .appendResponse(matched)), at: 2_000)
        #expect(core.peers[1].state == .replicate)
        var round: UInt64 = 0
        for time in stride(from: Int64(2_020), through: 2_420, by: 20) {
            _ = step(&core, .verifyLeader(id: UInt64(time)), at: time)
            round += 1
            let response = AppendResponse(term: Term(1), epoch: 1, round: round, outcome: .matched(flushed: .zero))
            let actions = step(&core, .message(from: NodeID(2), .appendResponse(response)), at: time)
            #expect(actions.contains(.leadershipVerified(id: UInt64(time))))
            _ = step(&core, .tick, at: time)
        }
        // Node 3 has answered nothing for more than four heartbeat intervals.
        #expect(core.peers[1].state == .probe)
    }

    @Test("a halted core takes no part, and refuses what must be answered")
    func halted() {
        var core = makeCore()
        elect(&core)
        _ = step(&core, .storageFailed, at: 2_000)
        #expect(core.status == Status(role: .follower, term: Term(1), leader: nil))
        #expect(core.nextDeadline == .distantFuture)
        expect(&core, .tick, at: 60_000, gives: [])
        expect(&core, append(term: 9), at: 60_000, gives: [])
        let request = VoteRequest(term: Term(9), lastIndex: LogIndex(9), lastTerm: Term(8))
        expect(&core, .message(from: NodeID(2), .voteRequest(request)), at: 60_000, gives: [])
        expect(&core, .propose([.init(count: 1, bytes: 1)]), at: 60_000, gives: [.proposalRejected(leader: nil)])
        expect(&core, .verifyLeader(id: 4), at: 60_000, gives: [.verificationFailed(id: 4)])
    }

    @Test("ticks before the next deadline do nothing, the one at it does")
    func deadlines() {
        var core = makeCore { $0.initialElectionDelay = .milliseconds(300) }
        let deadline = core.nextDeadline
        #expect(deadline >= .zero + .milliseconds(800) && deadline < .zero + .milliseconds(1_300))
        var actions: [Action] = []
        core.step(.tick, now: Instant(nanoseconds: deadline.nanoseconds - 1), into: &actions)
        #expect(actions == [])
        core.step(.tick, now: deadline, into: &actions)
        #expect(actions.first == .statusChanged(Status(role: .preCandidate, term: .zero, leader: nil)))
        elect(&core, at: 5_000)
        #expect(core.nextDeadline == .zero + .milliseconds(5_075))
    }

    @Test("actions are appended to what the caller's array already holds")
    func actionsAppended() {
        var core = makeCore()
        var actions: [Action] = [.proposeNoop]
        core.step(.verifyLeader(id: 1), now: .zero, into: &actions)
        #expect(actions == [.proposeNoop, .verificationFailed(id: 1)])
    }
}
