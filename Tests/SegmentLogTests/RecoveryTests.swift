import Basics
import NIOCore
import Testing

@testable import SegmentLog

/// What recovery cuts, what it refuses, and what it rebuilds (docs/internals/recovery.md).
@Suite struct RecoveryTests {
    /// A log whose first segments are sealed, and whose last blocks no watermark vouches for: the power failed after
    /// they were reported.
    private func logAfterPowerFailure(
        blocks: Int = 24, _ configure: (inout SegmentLogOptions) -> Void = { _ in }
    ) throws -> (disk: SimulatedFileSystem, blocks: [Block], segments: [SegmentIndex.Segment]) {
        let fixture = try LogFixture(configure)
        var appended = (0 ..< blocks - 3).map { _ in fixture.append(count: 2, payloadBytes: 150) }
        fixture.settle()
        // One group commit, after the last seal and its watermark.
        appended += (0 ..< 3).map { _ in fixture.append(count: 2, payloadBytes: 150) }
        fixture.settle()
        fixture.disk.restart(losing: .everythingUnflushed)
        return (fixture.disk, appended, fixture.segments)
    }

    private func damage(_ disk: SimulatedFileSystem) throws -> [DamagedRange] {
        let error = #expect(throws: StorageError.self) { try LogFixture(disk: disk) }
        guard case .damaged(let ranges)? = error else {
            Issue.record("expected damage, found \(error.map { "\($0)" } ?? "nothing")")
            return []
        }
        return ranges
    }

    private func flip(_ disk: SimulatedFileSystem, _ path: String, at position: Int) {
        disk.alter(path) { $0[position] ^= 0x10 }
    }

    @Test func aTornTailIsCutAndTheCutIsDurable() throws {
        let (disk, blocks, segments) = try logAfterPowerFailure()
        let active = try #require(segments.last)
        flip(disk, LogFixture.segmentPath(active.base.rawValue), at: active.end - 20)
        let fixture = try LogFixture(disk: disk)
        let tail = try #require(fixture.log.recovery.tornTail)
        #expect(tail.segment == active.base && tail.lastIndex == blocks[blocks.count - 2].last)
        #expect(try fixture.readAll() == blocks.dropLast())
        disk.restart(losing: .everythingUnflushed)
        #expect(try LogFixture(disk: disk).log.recovery.tornTail == nil)
        #expect(disk.content(LogFixture.segmentPath(active.base.rawValue))?.count == tail.position)
    }

    @Test func aBlockThatIsWholeBehindATornOneOfTheSameGroupGoesToo() throws {
        let (disk, blocks, segments) = try logAfterPowerFailure()
        let active = try #require(segments.last)
        let torn = try #require(active.table?.blocks.dropLast(2).last)
        flip(disk, LogFixture.segmentPath(active.base.rawValue), at: torn.position + 70)
        let fixture = try LogFixture(disk: disk)
        #expect(fixture.log.lastIndex == torn.base.previous)
        #expect(try fixture.readAll() == blocks.filter { $0.last < torn.base })
    }

    @Test func zerosBehindTheEndAreNoReasonToCut() throws {
        let (disk, blocks, _) = try logAfterPowerFailure()
        let fixture = try LogFixture(disk: disk)
        #expect(fixture.log.recovery.tornTail == nil)
        #expect(try fixture.readAll() == blocks)
    }

    @Test func aFlippedBitAtOrBelowTheWatermarkIsRefusedAndNothingIsCut() throws {
        let fixture = try LogFixture()
        for _ in 0 ..< 24 { fixture.append(count: 2, payloadBytes: 150) }
        fixture.close()
        let active = try #require(fixture.segments.last)
        let path = LogFixture.segmentPath(active.base.rawValue)
        fixture.disk.restart(losing: .everythingUnflushed)
        flip(fixture.disk, path, at: active.end - 20)
        let before = fixture.disk.content(path)
        let ranges = try damage(fixture.disk)
        #expect(ranges.map(\.lastIndex) == [active.last])
        #expect(ranges.map(\.reason) == [.block(.payloadChecksumMismatch)])
        #expect(fixture.disk.content(path) == before)
    }

    /// The process ended, the machine did not: the hint is exact, so even the last block cannot pass for torn.
    @Test func afterTheEndOfTheProcessEvenTheLastBlockIsVouchedFor() throws {
        let fixture = try LogFixture()
        for _ in 0 ..< 3 { fixture.append(payloadBytes: 150) }
        fixture.settle()
        let end = try #require(fixture.segments.last?.end)
        fixture.disk.restart(losing: .nothing)
        flip(fixture.disk, LogFixture.segmentPath(1), at: end - 20)
        #expect(try damage(fixture.disk).map(\.firstIndex) == [LogIndex(3)])
    }

    @Test func aFlippedBitInTheNewestSealedSegmentIsRefusedAndNothingIsCut() throws {
        let (disk, _, segments) = try logAfterPowerFailure()
        let sealed = segments[segments.count - 2]
        let path = LogFixture.segmentPath(sealed.base.rawValue)
        flip(disk, path, at: 100)
        let before = disk.content(path)
        let ranges = try damage(disk)
        #expect(ranges.first?.firstIndex == sealed.base && ranges.first?.lastIndex == sealed.last)
        #expect(disk.content(path) == before)
    }

    @Test func aMissingSegmentIsRefused() throws {
        for missing in [0, 1] {
            let (disk, _, segments) = try logAfterPowerFailure(blocks: 60)
            if missing == 0 {
                // The first one is only missed once a reclaim has said which one that is.
                let fixture = try LogFixture(disk: disk)
                fixture.log.reclaim(below: segments[1].base)
                fixture.settle()
                disk.restart(losing: .everythingUnflushed)
            }
            try disk.unlink(LogFixture.segmentPath(segments[missing + 1].base.rawValue))
            let ranges = try damage(disk)
            #expect(ranges.map(\.reason) == [.missingSegment])
            #expect(ranges.map(\.firstIndex) == [segments[missing + 1].base])
        }
    }

    @Test func aDamagedSegmentHeaderIsRefused() throws {
        let (disk, _, segments) = try logAfterPowerFailure()
        flip(disk, LogFixture.segmentPath(segments[segments.count - 1].base.rawValue), at: 17)
        #expect(try damage(disk).map(\.reason) == [.segmentHeader])
    }

    /// A group commit is never longer than 4 MiB: what lies further behind the damage was written after it was flushed.
    @Test func aBlockFurtherBehindThanOneGroupCommitProvesDamage() throws {
        let fixture = try LogFixture { $0.segmentBytes = 32.mebibytes; $0.preallocate = false }
        for _ in 0 ..< 6 { fixture.append(payloadBytes: 1.mebibytes) }
        fixture.settle()
        let first = try #require(fixture.segments.last?.table?.blocks.first)
        fixture.disk.restart(losing: .everythingUnflushed)
        flip(fixture.disk, LogFixture.segmentPath(1), at: first.end + 500)
        #expect(try damage(fixture.disk).map(\.firstIndex) == [LogIndex(2)])
    }

    // MARK: Accepted loss

    @Test func acceptedLossCutsAtTheDamageAndSaysSo() throws {
        let (disk, blocks, segments) = try logAfterPowerFailure(blocks: 60)
        let broken = segments[segments.count - 2]
        let block = try #require(blocks.last { $0.segment == broken.base })
        flip(disk, LogFixture.segmentPath(broken.base.rawValue), at: broken.end - 20)
        let fixture = try LogFixture(disk: disk) { $0.acceptDataLoss = true }
        #expect(fixture.log.recovery.acceptedLoss.map(\.firstIndex) == [block.base])
        #expect(fixture.log.lastIndex == block.base.previous)
        let appended = fixture.append(term: 5)
        fixture.settle()
        disk.restart(losing: .everythingUnflushed)
        #expect(try LogFixture(disk: disk).readAll() == blocks.filter { $0.last < block.base } + [appended])
    }

    @Test func acceptedLossOfTheStateKeepsTheTermOfTheLog() throws {
        let (disk, blocks, _) = try logAfterPowerFailure()
        disk.alter(LogFixture.path("state")) { $0 = Array(repeating: 0xFF, count: $0.count) }
        #expect(try damage(disk).map(\.reason) == [.state])
        let fixture = try LogFixture(disk: disk) { $0.acceptDataLoss = true }
        #expect(fixture.log.hardState == HardStateRecord(term: 1, vote: nil))
        #expect(try fixture.readAll() == blocks)
    }

    // MARK: Sidecars

    @Test func aLostOrDamagedSidecarIsRebuiltByScanning() throws {
        let (disk, blocks, segments) = try logAfterPowerFailure(blocks: 80)
        // The newest sidecar's name may not have been durable.
        try LogFixture(disk: disk).close()
        disk.restart(losing: .nothing)
        let lost = LogFixture.path("00000000000000000001.index")
        let damaged = LogLayout(directory: LogFixture.directory).sidecar(segments[1].base)
        let before = [disk.content(lost), disk.content(damaged)]
        try disk.unlink(lost)
        flip(disk, damaged, at: 70)
        let fixture = try LogFixture(disk: disk)
        #expect(fixture.log.recovery.rebuiltSidecars == 2)
        #expect(fixture.log.recovery.scannedSegments == 4, "the two, the newest sealed and the active one")
        #expect([disk.content(lost), disk.content(damaged)] == before)
        #expect(try fixture.readAll() == blocks)
    }

    // MARK: Access

    @Test func aDirectoryInUseIsRefused() throws {
        let fixture = try LogFixture()
        #expect(throws: StorageError.locked(path: LogFixture.path("lock"))) { try LogFixture(disk: fixture.disk) }
    }

    @Test func aLogOfAnotherShardIsRefused() throws {
        let (disk, _, _) = try logAfterPowerFailure()
        #expect(throws: StorageError.wrongShard(expected: ShardID(4), found: .metadata)) {
            try LogFixture(disk: disk) { $0.shard = ShardID(4) }
        }
    }

    @Test func readingOnlyChangesNothing() throws {
        let (disk, blocks, segments) = try logAfterPowerFailure()
        let active = try #require(segments.last)
        flip(disk, LogFixture.segmentPath(active.base.rawValue), at: active.end - 20)
        disk.clearCalls()
        let fixture = try LogFixture(disk: disk) { $0.readOnly = true }
        #expect(try fixture.readAll() == blocks.dropLast())
        #expect(disk.calls.isEmpty)
    }

    @Test func aVoteThatWasWrittenAndNotFlushedIsStoredBeforeAStartReliesOnIt() throws {
        let fixture = try LogFixture()
        fixture.settle()
        fixture.disk.stop(afterCalls: 1)
        fixture.log.saveHardState(HardStateRecord(term: 5, vote: 2)) {}
        fixture.settle()
        fixture.disk.restart(losing: .nothing)
        #expect(try LogFixture(disk: fixture.disk).log.hardState == HardStateRecord(term: 5, vote: 2))
        fixture.disk.restart(losing: .everythingUnflushed)
        #expect(try LogFixture(disk: fixture.disk).log.hardState == HardStateRecord(term: 5, vote: 2))
    }

    /// It may hold blocks of the segment that is about to begin: they reached the disk before its name `prepared`.
    @Test func aFreeFileIsGoneAfterAStart() throws {
        let fixture = try LogFixture { $0.preallocate = false }
        while fixture.segments.count < 4 { fixture.append(payloadBytes: 400) }
        fixture.settle()
        fixture.log.reclaim(below: fixture.segments[2].base)
        fixture.settle()
        func freeFiles() throws -> Int {
            try fixture.disk.list(LogFixture.directory).filter { $0.hasSuffix(".free") }.count
        }
        #expect(try freeFiles() == 2)
        fixture.disk.restart(losing: .nothing)
        _ = try LogFixture(disk: fixture.disk)
        #expect(try freeFiles() == 0)
    }
}
