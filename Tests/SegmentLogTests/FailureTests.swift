import Basics
import NIOCore
import Testing

@testable import SegmentLog

/// A disk that says no. After the first error nothing is written and nothing is reported any more.
@Suite struct FailureTests {
    private static let ioError: Int32 = 5
    private static let noSpace: Int32 = 28

    @Test(arguments: [
        (StorageOperation.write, ioError), (.write, noSpace), (.flush, ioError),
    ])
    func afterAFailedWriteOrFlushNothingIsEverReportedAgain(operation: StorageOperation, errno: Int32) throws {
        let fixture = try LogFixture()
        fixture.append(token: 1)
        fixture.settle()
        fixture.disk.failNext(operation, errno: errno)
        fixture.append(token: 2)
        fixture.settle()
        fixture.disk.clearCalls()
        fixture.append(token: 3)
        var isSaved = false
        fixture.log.saveHardState(HardStateRecord(term: 9)) { isSaved = true }
        fixture.settle()
        #expect(fixture.flushed == [.init(token: 1, through: LogIndex(1))])
        #expect(fixture.failures.count == 1)
        #expect(fixture.log.failure == fixture.failures.first)
        #expect(fixture.disk.calls.isEmpty && !isSaved)
        #expect(fixture.log.flushedIndex == LogIndex(1))
    }

    /// Recovery takes a segment without a block for damage: the first block has to be in the group that begins it.
    @Test func aGroupThatEndsWhereASegmentDoesLeavesNoEmptySegment() throws {
        let options = { (options: inout SegmentLogOptions) in
            options.segmentBytes = SegmentLogOptions.groupBytesMax
        }
        let fixture = try LogFixture(disk: SimulatedFileSystem(), options)
        while fixture.segments.count < 2 { fixture.append(payloadBytes: 500_000) }
        let first = try #require(fixture.segments.first)
        // One group, all that fits: the block that begins the next segment is left for another.
        fixture.writer.runNext()
        fixture.disk.restart(losing: .nothing)
        let again = try LogFixture(disk: fixture.disk, options)
        #expect(again.segments.count == 1 && again.log.lastIndex == first.last)
    }

    /// Linux calls the pages clean after a failed flush and serves them from its cache; a recovery that believed them
    /// would count entries as stored that never reached the disk (Rebello et al., ATC '20).
    @Test func whatAFailedFlushDroppedIsNotThereAfterRecoveryEither() throws {
        let fixture = try LogFixture()
        let stored = fixture.append()
        fixture.settle()
        fixture.disk.failNext(.flush, errno: Self.ioError)
        fixture.append()
        fixture.settle()
        fixture.disk.restart(losing: .nothing)
        let again = try LogFixture(disk: fixture.disk)
        #expect(again.log.lastIndex == stored.last)
    }

    @Test(arguments: [StorageOperation.rename, .syncDirectory, .truncate])
    func aFailureWhileASegmentIsChangedPoisonsToo(operation: StorageOperation) throws {
        let fixture = try LogFixture()
        fixture.append()
        fixture.settle()
        fixture.disk.failNext(operation, errno: Self.ioError)
        while fixture.segments.count < 2 { fixture.append(payloadBytes: 500) }
        fixture.settle()
        fixture.append()
        fixture.settle()
        #expect(fixture.failures.count == 1)
    }

    @Test func aFullDiskDoesNotKeepTheNextSegmentFromBeingNamedFirst() throws {
        let fixture = try LogFixture()
        fixture.disk.failNext(.allocate, errno: Self.noSpace)
        let block = fixture.append()
        fixture.settle()
        #expect(fixture.failures.isEmpty)
        #expect(try fixture.readAll() == [block])
    }

    @Test func aFailedHardStateIsNotReportedAsSaved() throws {
        let fixture = try LogFixture()
        fixture.settle()
        fixture.disk.failNext(.flush, errno: Self.ioError)
        var isSaved = false
        fixture.log.saveHardState(HardStateRecord(term: 3, vote: 1)) { isSaved = true }
        fixture.settle()
        #expect(!isSaved && fixture.failures.count == 1)
    }

    @Test func aPoisonedLogCanBeClosed() throws {
        let fixture = try LogFixture()
        fixture.disk.failNext(.write, errno: Self.ioError)
        fixture.append()
        fixture.settle()
        var isClosed = false
        fixture.log.close { isClosed = true }
        fixture.settle()
        #expect(isClosed)
    }

    /// The prepared file then holds blocks with the very number of the segment that begins next.
    @Test func blocksOfASegmentThatNeverGotItsNameAreNotFoundInTheNextOneOfThatName() throws {
        let fixture = try LogFixture { $0.segmentBytes = 500 }
        fixture.append(payloadBytes: 300)
        fixture.settle()
        fixture.disk.failNext(.rename, errno: Self.ioError)
        for _ in 1 ... 2 { fixture.append(payloadBytes: 100, term: 3) }
        fixture.settle()
        #expect(fixture.segments.last?.last == LogIndex(3) && fixture.failures.count == 1)
        fixture.disk.restart(losing: .nothing)
        let again = try LogFixture(disk: fixture.disk) { $0.segmentBytes = 500 }
        let replacement = again.append(payloadBytes: 100, term: 2)
        again.settle()
        #expect(replacement.segment == LogIndex(2))
        fixture.disk.restart(losing: .nothing)
        #expect(try LogFixture(disk: fixture.disk).log.lastIndex == LogIndex(2))
    }
}
