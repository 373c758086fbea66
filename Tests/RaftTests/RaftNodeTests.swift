import Basics
import NIOCore
import RaftCore
import SegmentLog
import Testing

@testable import Raft

@Suite struct RaftNodeTests {
    private typealias Group = RaftGroup<RecordingMachine>

    private func group(
        _ count: Int = 3, configure: @escaping (inout RaftConfiguration) -> Void = { _ in }
    ) throws -> RaftGroup<RecordingMachine> {
        try RaftGroup(count, machine: RecordingMachine(), configure: configure)
    }

    // MARK: Apply

    @Test(arguments: [1, 3, 5]) func `commands are applied on every node in the order of their proposal`(
        count: Int
    ) throws {
        let group = try group(count)
        let leader = try group.electedLeader()
        let outcomes = (0..<20).map { leader.propose("\($0)") }
        #expect(group.run { group.ids.allSatisfy { group.node($0).machine.applied.count == 20 } })
        for id in group.ids { #expect(group.node(id).machine.texts == (0..<20).map { "\($0)" }) }
        #expect(outcomes.map(\.response) == Array(0..<20))
        #expect(zip(outcomes, outcomes.dropFirst()).allSatisfy { ($0.index ?? .zero) < ($1.index ?? .zero) })
    }

    @Test func `completions come in the order of the log, after the command is applied`() throws {
        let group = try group()
        let leader = try group.electedLeader()
        var order: [Int] = []
        for number in 0..<10 {
            leader.propose(head: ByteBuffer(), payload: ByteBuffer(string: "\(number)")) { _ in
                #expect(leader.machine.texts.contains("\(number)"))
                order.append(number)
            }
        }
        group.run(50)
        #expect(order == Array(0..<10))
    }

    @Test func `a completion may propose again`() throws {
        let group = try group(1)
        let leader = try group.electedLeader()
        var second: Outcome<Int>?
        leader.propose(head: ByteBuffer(), payload: ByteBuffer(string: "a")) { _ in second = leader.propose("b") }
        group.run(10)
        #expect(second?.response == 1)
        #expect(leader.machine.texts == ["a", "b"])
    }

    @Test func `a barrier resolves when everything proposed before it is applied`() throws {
        let group = try group()
        let leader = try group.electedLeader()
        let command = leader.propose("a")
        var applied: [String]?
        leader.propose(type: .barrier, head: ByteBuffer(), payload: ByteBuffer()) { _ in applied = leader.machine.texts
        }
        #expect(group.run { applied != nil })
        #expect(applied == ["a"])
        #expect(command.response == 0)
        // It belongs to Raft: the state machine saw it only as an entry to answer.
        #expect(leader.machine.texts == ["a"])
    }

    // MARK: Refusals

    @Test func `a follower refuses and names the leader`() throws {
        let group = try group()
        let leader = try group.electedLeader()
        group.run(200)
        for id in group.ids where id != leader.id {
            #expect(group.node(id).propose("x").error == .notLeader(leader: leader.id))
            #expect(!group.node(id).isServing)
        }
    }

    @Test func `before there is a leader nobody is named`() throws {
        let group = try group()
        #expect(group.node(NodeID(1)).propose("x").error == .notLeader(leader: nil))
    }

    @Test func `more than may wait is overload, and is over when it is committed`() throws {
        let group = try group(1) { $0.pendingBytesMax = 100 }
        let leader = try group.electedLeader()
        let first = leader.propose(String(repeating: "a", count: 80))
        #expect(leader.propose(String(repeating: "b", count: 80)).error == .overloaded)
        group.run(5)
        #expect(first.response == 0)
        #expect(leader.pendingBytes == 0)
        let third = leader.propose(String(repeating: "c", count: 80))
        group.run(5)
        #expect(third.response == 1)
    }

    @Test func `a command larger than all that may wait is taken when nothing waits`() throws {
        let group = try group(1) { $0.pendingBytesMax = 100 }
        let leader = try group.electedLeader()
        let outcome = leader.propose(String(repeating: "a", count: 500))
        group.run(5)
        #expect(outcome.response == 0)
    }

    @Test func `a command larger than an entry may be is refused`() throws {
        let group = try group(1)
        let leader = try group.electedLeader()
        let limit = BlockLimits.entryPayloadBytesMax
        let outcome = Outcome<Int>()
        leader.propose(payload: ByteBuffer(repeating: 0, count: limit + 1), to: outcome)
        #expect(outcome.error == .commandTooLarge(bytes: limit + 1, limit: limit))
    }

    // MARK: Leadership

    @Test func `a leader that is cut off tells those who wait that it does not know`() throws {
        let group = try group()
        let leader = try group.electedLeader()
        group.setConnected(leader.id, false)
        let outcome = leader.propose("lost")
        let successor = try group.electedLeader(besides: leader)
        group.run(1_000)
        #expect(outcome.error == .leadershipLost)
        #expect(leader.status.role != .leader)
        let next = successor.propose("kept")
        group.run(50)
        #expect(next.response == 0)
        group.setConnected(leader.id, true)
        #expect(group.run { leader.machine.texts == ["kept"] })
        #expect(outcome.error == .leadershipLost)
    }

    @Test func `a leader that was cut off and comes back lets what it never committed be replaced`() throws {
        let group = try group()
        let leader = try group.electedLeader()
        leader.propose("a")
        group.run(20)
        group.setConnected(leader.id, false)
        for number in 0..<5 { leader.propose("lost \(number)") }
        group.run(5)
        let successor = try group.electedLeader(besides: leader)
        for number in 0..<3 { successor.propose("kept \(number)") }
        group.run(20)
        group.setConnected(leader.id, true)
        let expected = ["a", "kept 0", "kept 1", "kept 2"]
        #expect(group.run { group.ids.allSatisfy { group.node($0).machine.texts == expected } })
    }

    @Test func `a leader verifies that it leads, one that was replaced cannot`() throws {
        let group = try group()
        let leader = try group.electedLeader()
        var results: [Result<Void, RaftError>] = []
        leader.verifyLeader { results.append($0) }
        #expect(group.run { results.count == 1 })
        #expect(throws: Never.self) { try results[0].get() }
        group.setConnected(leader.id, false)
        leader.verifyLeader { results.append($0) }
        #expect(group.run { results.count == 2 })
        #expect(throws: RaftError.notLeader(leader: nil)) { try results[1].get() }
    }

    @Test func `a follower cannot verify, and names the leader`() throws {
        let group = try group()
        let leader = try group.electedLeader()
        group.run(200)
        let follower = try #require(group.ids.first { $0 != leader.id })
        var result: Result<Void, RaftError>?
        group.node(follower).verifyLeader { result = $0 }
        #expect(throws: RaftError.notLeader(leader: leader.id)) { try result?.get() }
    }

    @Test func `a new leader serves when it has applied all that earlier leaders committed`() throws {
        let group = try group()
        let leader = try group.electedLeader()
        for number in 0..<10 { leader.propose("\(number)") }
        group.run(20)
        group.stop(leader.id)
        let successor = try group.electedLeader(besides: leader)
        #expect(successor.machine.texts == (0..<10).map { "\($0)" })
    }

    // MARK: Ends

    @Test func `a shutdown answers everybody who waits`() throws {
        let group = try group()
        let leader = try group.electedLeader()
        group.setConnected(leader.id, false)
        let inFlight = leader.propose("a")
        group.settle()
        let pending = leader.propose("b")
        var verification: Result<Void, RaftError>?
        leader.verifyLeader { verification = $0 }
        leader.shutdown()
        #expect(inFlight.error == .shutdown)
        #expect(pending.error == .shutdown)
        #expect(throws: RaftError.shutdown) { try verification?.get() }
        #expect(verification != nil)
        #expect(leader.propose("c").error == .shutdown)
        var late: Result<Void, RaftError>?
        leader.verifyLeader { late = $0 }
        #expect(throws: RaftError.shutdown) { try late?.get() }
    }

    @Test func `what a peer says after the shutdown is not heard`() throws {
        let group = try group()
        let leader = try group.electedLeader()
        let follower = try #require(group.ids.first { $0 != leader.id })
        let node = group.node(follower)
        group.stop(follower)
        let before = node.machine.texts
        leader.propose("a")
        group.run(100)
        #expect(node.machine.texts == before)
    }

    // MARK: Restart

    @Test func `a restarted node replays what is committed, with its terms`() throws {
        let group = try group(1)
        let leader = try group.electedLeader()
        for number in 0..<10 { leader.propose("\(number)") }
        group.run(10)
        let before = leader.machine.applied
        group.stop(NodeID(1))
        try group.start(NodeID(1))
        let again = try group.electedLeader()
        #expect(again.machine.applied == before)
        #expect(again.status.term > Term(1))
        #expect(again.propose("more").error == nil)
        group.run(10)
        #expect(again.machine.applied.count == 11)
    }

    @Test func `a whole group that is restarted keeps what was applied`() throws {
        let group = try group()
        let leader = try group.electedLeader()
        for number in 0..<10 { leader.propose("\(number)") }
        group.run(100)
        for id in group.ids { group.stop(id) }
        for id in group.ids { try group.start(id) }
        let again = try group.electedLeader()
        #expect(again.machine.texts == (0..<10).map { "\($0)" })
    }

    @Test func `a node that was away catches up from memory and from the log`() throws {
        for tailBytesMax in [1, 64 << 20] {
            let group = try group { $0.core.tailBytesMax = tailBytesMax }
            let leader = try group.electedLeader()
            let follower = try #require(group.ids.first { $0 != leader.id })
            group.stop(follower)
            for number in 0..<50 {
                leader.propose("\(number)")
                if number.isMultiple(of: 10) { group.run(5) }
            }
            group.run(50)
            try group.start(follower)
            #expect(group.run { group.node(follower).machine.applied.count == 50 })
            #expect(group.node(follower).machine.applied == leader.machine.applied)
        }
    }

    @Test func `a state machine that reads heads alone never sees a payload, also after a restart`() throws {
        let group = try RaftGroup(1, machine: HeadMachine())
        let leader = try group.electedLeader()
        for number in 0..<5 { leader.propose("payload", head: "h\(number)") }
        group.run(10)
        #expect(leader.machine.heads == (0..<5).map { "h\($0)" })
        group.stop(NodeID(1))
        try group.start(NodeID(1))
        let again = try group.electedLeader()
        #expect(again.machine.heads == (0..<5).map { "h\($0)" })
        #expect(!again.machine.hasSeenPayload)
    }

    // MARK: Peers

    @Test func `blocks of another shard are not taken, and harm nobody`() throws {
        let group = try group()
        let leader = try group.electedLeader()
        let follower = group.node(try #require(group.ids.first { $0 != leader.id }))
        group.run(200)
        let block = BlockEncoder().encode(
            [Entry(payload: ByteBuffer(string: "x"))], shard: ShardID(7), compression: .off
        )
        .stamp(base: follower.lastIndex.next, term: leader.status.term, segment: LogIndex(1))
        let request = AppendRequest(
            term: leader.status.term, epoch: 1 << 40, previousIndex: follower.lastIndex,
            previousTerm: follower.term(at: follower.lastIndex) ?? .zero, commit: follower.lastIndex.next, round: 0,
            blocks: [block.info])
        let last = follower.lastIndex
        follower.receive(
            PeerMessage(shard: .metadata, message: .appendRequest(request), blocks: [block]), from: leader.id)
        #expect(follower.lastIndex == last)
        group.run(100)
        #expect(follower.machine.texts.isEmpty)
    }

    @Test func `a message whose blocks are not those it names is not taken`() throws {
        let group = try group()
        let leader = try group.electedLeader()
        let follower = group.node(try #require(group.ids.first { $0 != leader.id }))
        group.run(200)
        let info = BlockInfo(base: follower.lastIndex.next, count: 1, term: leader.status.term, bytes: 100)
        let request = AppendRequest(
            term: leader.status.term, epoch: 1 << 40, previousIndex: follower.lastIndex,
            previousTerm: follower.term(at: follower.lastIndex) ?? .zero, commit: .zero, round: 0, blocks: [info])
        let last = follower.lastIndex
        follower.receive(PeerMessage(shard: .metadata, message: .appendRequest(request)), from: leader.id)
        #expect(follower.lastIndex == last)
    }

    @Test func `a stranger is not heard`() throws {
        let group = try group()
        let leader = try group.electedLeader()
        let term = leader.status.term
        let request = VoteRequest(term: Term(99), lastIndex: LogIndex(1 << 40), lastTerm: Term(98))
        leader.receive(PeerMessage(shard: .metadata, message: .voteRequest(request)), from: NodeID(9))
        #expect(leader.status.term == term)
    }
}
