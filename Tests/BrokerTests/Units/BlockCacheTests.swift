import Basics
import NIOCore
import SegmentLog
import Testing

@testable import Broker

@Suite struct BlockCacheTests {
    private static func block(_ base: UInt64, count: Int = 10, bytes: Int = 1_000, term: UInt64 = 1) -> Block {
        let entries = (0..<count).map { _ in Entry(payload: ByteBuffer(repeating: 1, count: bytes / count)) }
        return BlockEncoder().encode(entries, shard: .metadata, compression: .off)
            .stamp(base: LogIndex(base), term: Term(term), segment: LogIndex(1))
    }

    @Test func `a block is found by every index it contains and by no other`() {
        var cache = BlockCache(bytesMax: 1.mebibytes)
        for base in [41, 11, 31] as [UInt64] { cache.insert(Self.block(base)) }
        for index in [11, 15, 20] as [UInt64] {
            #expect(cache.block(containing: LogIndex(index))?.base == LogIndex(11))
        }
        #expect(cache.block(containing: LogIndex(31))?.base == LogIndex(31))
        #expect(cache.block(containing: LogIndex(50))?.base == LogIndex(41))
        for index in [0, 10, 21, 30, 51] as [UInt64] { #expect(cache.block(containing: LogIndex(index)) == nil) }
    }

    @Test func `at the bound the block that came first goes first`() {
        let size = Self.block(1).residentSize
        var cache = BlockCache(bytesMax: 3 * size)
        for base in [31, 1, 21] as [UInt64] { cache.insert(Self.block(base)) }
        #expect(cache.block(containing: LogIndex(31)) != nil)
        cache.insert(Self.block(11))
        #expect(cache.block(containing: LogIndex(31)) == nil)
        for base in [1, 11, 21] as [UInt64] { #expect(cache.block(containing: LogIndex(base)) != nil) }
    }

    @Test func `a block larger than the bound is kept until the next one comes`() {
        var cache = BlockCache(bytesMax: 100)
        cache.insert(Self.block(1))
        #expect(cache.block(containing: LogIndex(1)) != nil)
        cache.insert(Self.block(11))
        #expect(cache.block(containing: LogIndex(1)) == nil)
        #expect(cache.block(containing: LogIndex(11)) != nil)
    }

    @Test func `a block inserted again replaces the old one and its bytes`() {
        let size = Self.block(1).residentSize
        var cache = BlockCache(bytesMax: 2 * size)
        for _ in 0..<10 { cache.insert(Self.block(1, term: 2)) }
        cache.insert(Self.block(11))
        #expect(cache.block(containing: LogIndex(1))?.term == Term(2))
        #expect(cache.block(containing: LogIndex(11)) != nil)
    }
}
