import Basics
import NIOCore
import RaftCore
import SegmentLog
import Testing

@testable import Raft

/// Disks that fail or stand still under one node of three.
@Suite struct StorageFailureTests {
    @Test func `a leader whose disk fails steps down for good, and the others go on`() throws {
        var stores: [FailingStore] = []
        let group = try RaftGroup(
            3, machine: RecordingMachine(),
            disk: {
                let store = FailingStore()
                stores.append(store)
                return RaftGroup<RecordingMachine>.Disk(store: store)
            })
        let leader = try group.electedLeader()
        leader.propose("a")
        group.run(50)
        var failure: StorageError?
        leader.onStorageFailure = { failure = $0 }
        stores[Int(leader.id.rawValue) - 1].fail(with: .storage(.io(.flush, path: "log", errno: 5)))
        let outcome = leader.propose("b")
        group.run(50)
        #expect(failure == .io(.flush, path: "log", errno: 5))
        #expect(outcome.error != nil)
        #expect(leader.propose("c").error == .storageFailed)
        let successor = try group.electedLeader(besides: leader)
        let next = successor.propose("d")
        group.run(50)
        #expect(next.index != nil)
        // What the failed leader had sent may have survived with the others; it comes before what was proposed later.
        #expect([["a", "d"], ["a", "b", "d"]].contains(successor.machine.texts))
        #expect(leader.storageFailure != nil)
        #expect(leader.status.role == .follower)
    }

    @Test func `a leader whose disk stands still commits through the others, then gives up leadership`() throws {
        let group = try RaftGroup(
            3, machine: RecordingMachine(), configure: { $0.core.storageStallTimeout = .milliseconds(300) })
        let leader = try group.electedLeader()
        group.disks[leader.id]?.isStalled = true
        let outcome = leader.propose("a")
        group.run(100)
        // The two others are a quorum: their flushes are enough.
        #expect(outcome.response == 0)
        #expect(leader.flushedIndex < leader.lastIndex)
        let successor = try group.electedLeader(besides: leader)
        #expect(successor.machine.texts == ["a"])
        group.disks[leader.id]?.isStalled = false
        #expect(group.run { leader.machine.texts == ["a"] })
    }

    @Test func `a follower whose disk stands still holds nobody up, and catches up afterwards`() throws {
        let group = try RaftGroup(3, machine: RecordingMachine())
        let leader = try group.electedLeader()
        group.run(200)
        let follower = try #require(group.ids.first { $0 != leader.id })
        group.disks[follower]?.isStalled = true
        let outcomes = (0..<20).map { leader.propose("\($0)") }
        group.run(50)
        #expect(outcomes.allSatisfy { $0.index != nil })
        #expect(group.node(follower).machine.texts.isEmpty)
        group.disks[follower]?.isStalled = false
        #expect(group.run { group.node(follower).machine.applied.count == 20 })
    }

    @Test func `nothing is acknowledged while a quorum of disks stands still`() throws {
        let group = try RaftGroup(3, machine: RecordingMachine())
        let leader = try group.electedLeader()
        group.run(200)
        for id in group.ids where id != leader.id { group.disks[id]?.isStalled = true }
        let outcome = leader.propose("a")
        group.run(100)
        #expect(outcome.result == nil)
        for id in group.ids { group.disks[id]?.isStalled = false }
        #expect(group.run { outcome.index != nil })
    }
}
