import Basics
import NIOCore
import Testing

@testable import SegmentLog

/// Segments: where they begin, that replicas have the same ones, and that old bytes never count.
@Suite struct SegmentTests {
    private func segmentNames(_ fixture: LogFixture) throws -> [String] {
        try fixture.disk.list(LogFixture.directory).filter { $0.hasSuffix(".log") }.sorted()
    }

    @Test func aFullSegmentIsSealedToItsDataAndGetsASidecar() throws {
        let fixture = try LogFixture()
        while fixture.segments.count < 2 { fixture.append(payloadBytes: 500) }
        fixture.settle()
        let sealed = fixture.segments[0]
        let content = try #require(fixture.disk.content(LogFixture.segmentPath(1)))
        #expect(content.count == sealed.end && content.count <= 4_096)
        #expect(fixture.disk.content(LogFixture.path("00000000000000000001.index")) != nil)
        #expect(fixture.segments[1].base == sealed.last.next)
    }

    @Test func theNextSegmentIsPreparedWhileNobodyWaits() throws {
        let fixture = try LogFixture()
        fixture.append()
        fixture.settle()
        #expect(fixture.disk.content(LogFixture.path("prepared"))?.count == 4_096)
        while fixture.segments.count < 2 { fixture.append(payloadBytes: 500) }
        fixture.disk.clearCalls()
        fixture.settle()
        let beforeNaming = fixture.disk.calls.prefix { $0.operation != .syncDirectory }
        #expect(!beforeNaming.contains { $0.operation == .allocate || $0.operation == .open })
    }

    @Test func theFileIsFilledInFrontOfTheLogWhileNobodyWaits() throws {
        let fixture = try LogFixture { $0.segmentBytes = 6.mebibytes }
        fixture.append()
        fixture.settle()
        let end = try #require(fixture.segments.last?.end)
        let filled = fixture.disk.calls.filter { $0.operation == .allocate && $0.name.hasSuffix(".log") }
        let bytes = filled.reduce(0) { $0 + $1.bytes }
        #expect(bytes >= SegmentLogOptions.fillAheadBytes)
        #expect(bytes < SegmentLogOptions.fillAheadBytes + SegmentLogOptions.fillBytes)
        let content = try #require(fixture.disk.content(LogFixture.segmentPath(1)))
        #expect(content[end...].allSatisfy { $0 == 0 })
        fixture.disk.clearCalls()
        fixture.append()
        fixture.settle()
        #expect(fixture.disk.calls.filter { $0.name.hasSuffix(".log") }.map(\.operation).prefix(2) == [.write, .flush])
        #expect(try fixture.readAll().count == 2)
    }

    @Test func aDiskThatIsFullKeepsNobodyFromAppending() throws {
        let fixture = try LogFixture { $0.segmentBytes = 64.kibibytes }
        fixture.append()
        fixture.writer.runNext()
        for _ in 1 ... 3 { fixture.disk.failNext(.allocate, errno: 28) }
        fixture.settle()
        fixture.append()
        fixture.settle()
        #expect(fixture.failures.isEmpty && fixture.log.flushedIndex == LogIndex(2))
    }

    @Test func aBlockLargerThanASegmentGetsOneOfItsOwn() throws {
        let fixture = try LogFixture()
        for bytes in [100, 10_000, 100] { fixture.append(payloadBytes: bytes) }
        fixture.settle()
        #expect(fixture.segments.map(\.base.rawValue) == [1, 2, 3])
        #expect(try fixture.readAll().count == 3)
    }

    @Test func sealedSegmentsOfLeaderAndFollowerAreTheSameBytes() throws {
        let leader = try LogFixture()
        let follower = try LogFixture { $0.segmentBytes = 1_000_000 }
        for number in 0 ..< 60 {
            let block = leader.append(count: number % 5 + 1, payloadBytes: 20 + number * 11)
            try follower.log.append(Block.decode(block.bytes), token: 0)
            if number % 7 == 0 { leader.settle() }
            if number % 3 == 0 { follower.settle() }
        }
        leader.settle()
        follower.settle()
        let names = try segmentNames(leader)
        #expect(names.count > 5)
        #expect(try segmentNames(follower) == names)
        for name in names.dropLast() {
            #expect(leader.disk.content(LogFixture.path(name)) == follower.disk.content(LogFixture.path(name)))
        }
    }

    @Test func aFollowerRefusesWhatDoesNotFitAndIsUnchanged() throws {
        let fixture = try LogFixture()
        fixture.append(count: 2, term: 4)
        func block(base: UInt64, term: UInt64, segment: UInt64, shard: ShardID = .metadata) -> Block {
            fixture.encoder.encode([Entry(payload: ByteBuffer())], shard: shard, compression: .off)
                .stamp(base: LogIndex(base), term: Term(term), segment: LogIndex(segment))
        }
        #expect(throws: BlockOrderError.notNext(expected: LogIndex(3), found: LogIndex(4))) {
            try fixture.log.append(block(base: 4, term: 4, segment: 1), token: 0)
        }
        #expect(throws: BlockOrderError.termWentBack(last: Term(4), found: Term(3))) {
            try fixture.log.append(block(base: 3, term: 3, segment: 1), token: 0)
        }
        #expect(throws: BlockOrderError.wrongSegment(active: LogIndex(1), found: LogIndex(2))) {
            try fixture.log.append(block(base: 3, term: 4, segment: 2), token: 0)
        }
        #expect(throws: BlockOrderError.wrongShard(expected: .metadata, found: ShardID(9))) {
            try fixture.log.append(block(base: 3, term: 4, segment: 1, shard: ShardID(9)), token: 0)
        }
        #expect(fixture.log.lastIndex == LogIndex(2))
    }

    @Test func anEmptyLogBeginsWhereItsFirstBlockSays() throws {
        let fixture = try LogFixture()
        let block = fixture.encoder.encode([Entry(payload: ByteBuffer())], shard: .metadata, compression: .off)
            .stamp(base: LogIndex(500), term: Term(2), segment: LogIndex(500))
        try fixture.log.append(block, token: 0)
        fixture.settle()
        #expect(fixture.log.firstIndex == LogIndex(500) && fixture.log.lastIndex == LogIndex(500))
        fixture.close()
        fixture.disk.restart(losing: .everythingUnflushed)
        #expect(try LogFixture(disk: fixture.disk).readAll() == [block])
    }

    // MARK: Reclaim

    @Test func reclaimedSegmentsBecomeTheNextOnesAndTheirOldBlocksAreRefused() throws {
        let fixture = try LogFixture { $0.recycleMax = 8 }
        // All segments are alike, so that every old block lies exactly where a new one could chain to it. The first one
        // ends with a sector, so that no zeros come between.
        let sector = SimulatedFileSystem.sectorBytes
        let bytes = try #require((1 ..< sector).first { bytes in
            let block = fixture.encoder.encode(
                .numbered(1, from: LogIndex(1), bytes: bytes), shard: .metadata, compression: .off)
            return SegmentFormat.headerBytes + block.encodedSize == sector
        })
        while fixture.segments.count < 6 { fixture.append(payloadBytes: bytes) }
        fixture.settle()
        fixture.log.reclaim(below: fixture.segments[4].base)
        fixture.settle()
        #expect(fixture.log.firstIndex == fixture.segments[0].base)
        while fixture.segments.count < 5 { fixture.append(payloadBytes: bytes) }
        fixture.settle()
        let active = try #require(fixture.log.index.active)
        let content = try #require(fixture.disk.content(LogFixture.segmentPath(active.base.rawValue)))
        #expect(content[active.end ..< active.end + 4].elementsEqual("MBLK".utf8), "a recycled file has old blocks")
        let blocks = try fixture.readAll()
        fixture.disk.restart(losing: .everythingUnflushed)
        let again = try LogFixture(disk: fixture.disk)
        #expect(try again.readAll() == blocks)
        #expect(again.log.recovery.tornTail == nil)
    }

    @Test func reclaimTakesWholeSegmentsBelowTheFloorAndNeverTheActiveOne() throws {
        let fixture = try LogFixture { $0.recycleMax = 1 }
        while fixture.segments.count < 5 { fixture.append(payloadBytes: 400, term: 1) }
        fixture.append(payloadBytes: 400, term: 2)
        fixture.settle()
        let third = fixture.segments[2]
        fixture.log.reclaim(below: third.last)
        fixture.settle()
        #expect(fixture.log.firstIndex == third.base)
        #expect(fixture.log.termStarts.map(\.0) == [third.base, fixture.log.lastIndex])
        #expect(try segmentNames(fixture).count == 3)
        #expect(throws: StorageError.outOfRange(
            index: LogIndex(1), first: third.base, last: fixture.log.lastIndex)
        ) { try fixture.read(from: 1) }
        fixture.log.reclaim(below: LogIndex(.max))
        fixture.settle()
        #expect(try segmentNames(fixture).count == 1)
        fixture.disk.restart(losing: .everythingUnflushed)
        #expect(try LogFixture(disk: fixture.disk).log.firstIndex == fixture.log.firstIndex)
    }
}
