import Basics
import NIOCore
import NIOEmbedded
import Testing

@testable import SegmentLog

@Suite struct ReadTests {
    /// A log of several segments whose blocks are on disk only.
    private func coldLog(_ configure: (inout SegmentLogOptions) -> Void = { _ in }) throws -> (LogFixture, [Block]) {
        let fixture = try LogFixture(configure)
        var blocks: [Block] = []
        for number in 0 ..< 40 { blocks.append(fixture.append(count: 2, payloadBytes: 50 + number * 5)) }
        fixture.settle()
        fixture.log.evict(below: LogIndex(.max))
        return (fixture, blocks)
    }

    @Test func blocksInMemoryAreReadAtOnce() throws {
        let fixture = try LogFixture()
        fixture.settle()
        let blocks = (1 ... 4).map { _ in fixture.append(count: 2) }
        var result: [Block]?
        fixture.log.read(from: LogIndex(4), maxBytes: blocks[1].encodedSize * 2) { result = try? $0.get() }
        #expect(result == Array(blocks[1 ... 2]))
        #expect(fixture.reader.pending == 0)
        #expect(fixture.log.block(containing: LogIndex(8)) == blocks[3])
        #expect(fixture.log.block(containing: LogIndex(9)) == nil)
    }

    @Test func onlyTheNewestCompressedBlocksKeepTheirPayload() throws {
        let fixture = try LogFixture { $0.payloadBytesMax = 20_000 }
        for number in 0 ..< 10 {
            let base = fixture.log.lastIndex.next
            let entry = Entry(payload: ByteBuffer(repeating: UInt8(number), count: 6_000))
            let encoded = fixture.encoder.encode([entry], shard: .metadata, compression: .zstd(level: 1))
            _ = fixture.log.append(encoded, base: base, term: Term(1), token: 0)
        }
        let kept = (1 ... 10).map { fixture.log.block(containing: LogIndex($0))?.rawPayload != nil }
        #expect(kept == [false, false, false, false, false, false, false, true, true, true])
        let first = try fixture.log.block(containing: LogIndex(1))?.payload()
        #expect(first?.joined == ByteBuffer(repeating: 0, count: 6_000))
        #expect(fixture.log.ringBytes < 20_000 + 10 * 500)
    }

    @Test func evictedBlocksAreReadFromDiskInWholeBlocksFromEveryIndex() throws {
        let (fixture, blocks) = try coldLog()
        #expect(fixture.log.ringFirstIndex == nil && fixture.log.ringBytes == 0)
        for block in blocks {
            #expect(try fixture.read(from: block.last.rawValue, maxBytes: 1) == [block])
        }
        #expect(try fixture.readAll() == blocks)
    }

    @Test func compressedBlocksAreDecompressedByAllWhoHaveTime() throws {
        let helpers = [StorageThread(name: "helper-1"), StorageThread(name: "helper-2")]
        defer { for helper in helpers { helper.stop() } }
        let fixture = try LogFixture(readHelpers: helpers) { $0.segmentBytes = 1_000_000 }
        let payloads = (0 ..< 20).map { ByteBuffer(repeating: UInt8($0), count: 6_000 + $0) }
        for payload in payloads {
            let encoded = fixture.encoder.encode(
                [Entry(payload: payload)], shard: .metadata, compression: .zstd(level: 1))
            fixture.log.append(encoded, base: fixture.log.lastIndex.next, term: Term(1), token: 0)
        }
        fixture.settle()
        fixture.log.evict(below: LogIndex(.max))
        var blocks: [Block] = []
        fixture.log.read(from: LogIndex(1), maxBytes: .max, decompress: true) { blocks = (try? $0.get()) ?? [] }
        fixture.settle()
        #expect(blocks.map { $0.rawPayload?.joined } == payloads)
    }

    @Test func aColdReadEndsWhereTheWriterHasNotBeenYet() throws {
        let fixture = try LogFixture()
        for _ in 1 ... 3 { fixture.append() }
        fixture.settle()
        fixture.log.evict(below: LogIndex(.max))
        for _ in 4 ... 6 { fixture.append() }
        var result: Result<[Block], StorageError>?
        fixture.log.read(from: LogIndex(1), maxBytes: .max) { result = $0 }
        fixture.reader.runAll()
        fixture.loop.run()
        #expect(try result?.get().map(\.base) == [LogIndex(1), LogIndex(2), LogIndex(3)])
    }

    @Test func tablesThatAreNotInMemoryAreLoadedAgain() throws {
        let (fixture, blocks) = try coldLog { $0.tableBytesMax = 400 }
        #expect(fixture.segments.contains { $0.table == nil })
        #expect(try fixture.readAll() == blocks)
        #expect(fixture.segments.dropLast().reduce(0) { $0 + $1.cachedBytes } <= 400)
    }

    @Test func aCompressedBlockComesWithItsPayloadIfAsked() throws {
        let fixture = try LogFixture()
        let entries = [Entry(payload: ByteBuffer(repeating: 7, count: 2_000))]
        let encoded = fixture.encoder.encode(entries, shard: .metadata, compression: .zstd(level: 1))
        fixture.log.append(encoded, base: LogIndex(1), term: Term(1), token: 0)
        fixture.settle()
        fixture.log.evict(below: LogIndex(.max))
        var result: [Block]?
        fixture.log.read(from: LogIndex(1), maxBytes: 1, decompress: true) { result = try? $0.get() }
        fixture.settle()
        #expect(result?.first?.codec == .zstd)
        #expect(result?.first?.rawPayload?.joined == entries[0].payload)
    }

    @Test func aFlippedBitIsDamageAndNothingIsServed() throws {
        let (fixture, blocks) = try coldLog()
        let position = fixture.segments[0].end - 40
        fixture.disk.alter(LogFixture.segmentPath(1)) { $0[position] ^= 1 }
        let last = try #require(blocks.last { $0.segment == LogIndex(1) })
        let error = #expect(throws: StorageError.self) { try fixture.read(from: last.base.rawValue) }
        let ranges = if case .damaged(let ranges)? = error { ranges } else { [DamagedRange]() }
        #expect(ranges.map(\.firstIndex) == [last.base] && ranges.map(\.lastIndex) == [last.last])
        #expect(try fixture.read(from: 1, maxBytes: 1) == [blocks[0]], "the rest can be read")
    }

    @Test func blocksBehindDamageInASegmentWithoutSidecarAreDamagedToo() throws {
        let (fixture, blocks) = try coldLog { $0.tableBytesMax = 0 }
        fixture.disk.alter(LogFixture.segmentPath(1)) { $0[100] ^= 1 }
        try fixture.disk.unlink(LogFixture.path("00000000000000000001.index"))
        for _ in 1 ... 2 {
            let error = #expect(throws: StorageError.self) { try fixture.read(from: 3) }
            let ranges = if case .damaged(let ranges)? = error { ranges } else { [DamagedRange]() }
            #expect(ranges.map(\.reason) == [.missingBlocks])
        }
        let second = fixture.segments[1].base
        #expect(try fixture.read(from: second.rawValue, maxBytes: 1) == blocks.filter { $0.base == second })
    }

    @Test func aReadOvertakenByACutIsDoneAgain() throws {
        let (fixture, blocks) = try coldLog()
        let last = try #require(blocks.last)
        var result: [Block]?
        fixture.log.read(from: last.base, maxBytes: 1) { result = try? $0.get() }
        fixture.reader.runAll()
        fixture.log.truncate(from: last.base)
        let replacement = fixture.append(count: 2, payloadBytes: 60, term: 2)
        fixture.settle()
        #expect(result == [replacement])
    }

    @Test func aReadOvertakenByACutFindsWhatIsNotOnDiskYet() throws {
        let (fixture, blocks) = try coldLog()
        let last = try #require(blocks.last)
        var result: Result<[Block], StorageError>?
        fixture.log.read(from: last.base, maxBytes: 1) { result = $0 }
        fixture.reader.runAll()
        fixture.log.truncate(from: last.base)
        let replacement = fixture.append(count: 1, payloadBytes: 600, term: 2)
        while result == nil {
            fixture.loop.run()
            fixture.reader.runAll()
        }
        #expect(try result?.get() == [replacement])
        fixture.settle()
    }

    @Test func aReadOvertakenByReclaimFindsNothing() throws {
        let (fixture, _) = try coldLog()
        var error: StorageError?
        fixture.log.read(from: LogIndex(1), maxBytes: 1) { result in
            if case .failure(let failure) = result { error = failure }
        }
        fixture.reader.runAll()
        fixture.log.reclaim(below: LogIndex(.max))
        fixture.settle()
        #expect(error == .outOfRange(
            index: LogIndex(1), first: fixture.log.firstIndex, last: fixture.log.lastIndex))
    }

    @Test func replayWalksAllHeadsFromAnyIndex() throws {
        let (fixture, blocks) = try coldLog()
        for from in [1, 2, 37, 80] as [UInt64] {
            var heads: [BlockHeads] = []
            while (heads.last?.last ?? LogIndex(from - 1)) < fixture.log.lastIndex {
                heads += try fixture.readHeads(from: heads.last?.last.next ?? LogIndex(from))
            }
            #expect(heads == blocks.filter { $0.last.rawValue >= from }.map(\.heads))
        }
    }
}
