import Basics
import NIOCore
import Testing

@testable import SegmentLog

@Suite struct BlockTests {
    private let encoder = BlockEncoder()

    private func entries(_ payloads: [String]) -> [Entry] {
        payloads.map { Entry(head: ByteBuffer(string: "<\($0.prefix(3))>"), payload: ByteBuffer(string: $0)) }
    }

    private func block(_ entries: [Entry], compression: BlockCompression = .off, base: UInt64 = 11) -> Block {
        encoder.encode(entries, shard: ShardID(3), compression: compression)
            .stamp(base: LogIndex(base), term: Term(5), segment: LogIndex(7))
    }

    @Test func entriesComeBackInOrderWithTheirHeadsAndPayloads() throws {
        var entries = entries(["first", "", "the third one"])
        entries[1].type = .noop
        let decoded = try Block.decode(block(entries).bytes)
        let payload = try decoded.payload()
        #expect(decoded.base == LogIndex(11) && decoded.last == LogIndex(13) && decoded.term == Term(5))
        #expect(decoded.shard == ShardID(3) && decoded.segment == LogIndex(7))
        #expect(decoded.entries.map(\.index.rawValue) == [11, 12, 13])
        #expect(decoded.entries.map(\.type) == [.command, .noop, .command])
        #expect(decoded.entries.map(\.head) == entries.map(\.head))
        #expect(decoded.entries.map { $0.payload(in: payload) } == entries.map(\.payload))
        #expect(decoded.encodedSize % 8 == 0 && decoded.bytes.byteCount == decoded.encodedSize)
    }

    @Test func aCompressedBlockIsSmallerAndKeepsItsPayloadForReadersOfTheTail() throws {
        let entries = entries([String(repeating: "martlet ", count: 4_000)])
        let block = block(entries, compression: .zstd(level: 1))
        #expect(block.codec == .zstd)
        #expect(block.encodedSize < 1_000)
        #expect(block.rawPayload?.joined == entries[0].payload)
        let decoded = try Block.decode(block.bytes)
        #expect(decoded.rawPayload == nil)
        #expect(try decoded.payload().joined == entries[0].payload)
        #expect(try decoded.withRawPayload(decoded.payload()).rawPayload?.joined == entries[0].payload)
    }

    @Test func largePayloadsStayWhereTheyAre() throws {
        let entries = [(20_000, 1), (7, 2), (30_001, 3)].map { count, byte in
            Entry(head: ByteBuffer(string: "head"), payload: ByteBuffer(repeating: byte, count: count))
        }
        let block = block(entries)
        let starts = [block.bytes[1], block.bytes[3]].map { $0.withUnsafeReadableBytes { $0.baseAddress } }
        #expect(starts == [0, 2].map { entries[$0].payload.withUnsafeReadableBytes { $0.baseAddress } })
        let copied = BlockEncoder(keptPayloadBytesMin: .max)
            .encode(entries, shard: ShardID(3), compression: .off)
            .stamp(base: LogIndex(11), term: Term(5), segment: LogIndex(7))
        #expect(copied.bytes.count == 1)
        #expect(block == copied)
        #expect(block.header == copied.header)
        let payload = try block.payload()
        #expect(block.entries.map { $0.payload(in: payload) } == entries.map(\.payload))
    }

    /// A block of them would keep much more in memory than it counts.
    @Test func aSmallPartOfALargeBufferIsCopied() throws {
        let large = ByteBuffer(repeating: 1, count: 1 << 20)
        let part = try #require(large.getSlice(at: 1_000, length: 100_000))
        #expect(block([Entry(payload: part)]).bytes.count == 1)
        let most = try #require(large.getSlice(at: 1_000, length: 900_000))
        #expect(block([Entry(payload: most)]).bytes.count > 1)
    }

    @Test func theChecksumIsMadeFromThoseOfTheEntries() throws {
        let payloads = [5_000, 100, 60_000, 4_096].map { ByteBuffer(repeating: UInt8($0 & 0xFF), count: $0) }
        let known = payloads.map { payload in
            Entry(payload: payload, payloadChecksum: payload.withUnsafeReadableBytes { crc32c($0) })
        }
        let unknown = payloads.map { Entry(payload: $0) }
        #expect(block(known).header == block(unknown).header)
        #expect(throws: Never.self) { try Block.decode(block(known).bytes) }
    }

    @Test(arguments: 1 ..< 400)
    func aBlockInPiecesIsReadAsAWhole(length: Int) throws {
        let block = block(entries(["first", "", "the third one", String(repeating: "x", count: 300)]))
        let whole = block.bytes.joined
        let pieces = stride(from: 0, to: whole.readableBytes, by: length).map { start in
            whole.getSlice(at: start, length: min(length, whole.readableBytes - start)) ?? ByteBuffer()
        }
        let decoded = try Block.decode(BufferChain(pieces[0], Array(pieces.dropFirst())))
        #expect(decoded == block)
        let payload = try decoded.payload()
        #expect(payload.joined == (try block.payload().joined))
        #expect(decoded.entries.map { $0.payload(in: payload) } == block.entries.map { $0.payload(in: payload) })
    }

    @Test(arguments: [-5, 3] as [Int32])
    func everyLevelDecompressesToTheSame(level: Int32) throws {
        let entries = entries((0 ..< 50).map { "entry \($0) of a block that shrinks, shrinks, shrinks" })
        let block = block(entries, compression: .zstd(level: level))
        #expect(block.codec == .zstd)
        #expect(try Block.decode(block.bytes).payload() == block.rawPayload)
    }

    @Test func whatDoesNotShrinkIsStoredRaw() {
        var random = RandomSource(seed: 1)
        let noise = ByteBuffer(bytes: (0 ..< 4_096).map { _ in UInt8.random(in: 0 ... 255, using: &random) })
        #expect(block([Entry(payload: noise)], compression: .zstd(level: 1)).codec == .raw)
    }

    @Test func aBlockOfMostlyCompressedPayloadsIsStoredRaw() {
        let zeros = ByteBuffer(repeating: 0, count: 4_096)
        let mostly = [Entry(payload: zeros, isCompressed: true), Entry(payload: zeros.getSlice(at: 0, length: 100)!)]
        #expect(block(mostly, compression: .zstd(level: 1)).codec == .raw)
        let partly = [Entry(payload: zeros), Entry(payload: zeros.getSlice(at: 0, length: 100)!, isCompressed: true)]
        #expect(block(partly, compression: .zstd(level: 1)).codec == .zstd)
    }

    @Test func decodingTakesOneBlockFromTheFront() throws {
        let first = block(entries(["one"]))
        let second = block(entries(["two"]), base: 12)
        var buffer = first.bytes.joined
        buffer.writeImmutableBuffer(second.bytes.joined)
        #expect(try Block.decode(from: &buffer) == first)
        #expect(try Block.decode(from: &buffer) == second)
        #expect(buffer.readableBytes == 0)
    }

    @Test func splittingFillsBlocksToTheTargetAndGivesALargerEntryItsOwn() {
        let target = BlockLimits.targetBytes
        let third = Entry(payload: ByteBuffer(repeating: 1, count: target / 3))
        let large = Entry(payload: ByteBuffer(repeating: 2, count: target * 2))
        #expect(BlockEncoder.split([]).isEmpty)
        #expect(BlockEncoder.split([third, third, third, third]) == [0 ..< 2, 2 ..< 4])
        #expect(BlockEncoder.split([third, large, third]) == [0 ..< 1, 1 ..< 2, 2 ..< 3])
        #expect(BlockEncoder.split([third, third, third][1...]) == [1 ..< 3])
    }

    @Test func peekingTellsHowManyBytesToWaitFor() throws {
        let block = block(entries(["one", "two"]))
        let front = try #require(block.bytes.joined.getSlice(at: 0, length: BlockHeader.size))
        #expect(try BlockHeader.peek(front) == block.header)
        #expect(throws: BlockError.truncated(needed: 64, available: 63)) {
            try BlockHeader.peek(front.getSlice(at: 0, length: 63)!)
        }
    }
}

/// Whatever the bytes, the decoder answers: it never traps, and takes no wrong byte for a right one.
@Suite struct BlockRobustnessTests {
    private let raw: Block
    private let compressed: Block

    init() {
        let encoder = BlockEncoder()
        let entries = (0 ..< 40).map { number in
            Entry(
                head: ByteBuffer(string: "head \(number)"),
                payload: ByteBuffer(string: "the payload of entry \(number)"))
        }
        func block(_ compression: BlockCompression) -> Block {
            encoder.encode(entries, shard: .metadata, compression: compression)
                .stamp(base: LogIndex(1), term: Term(1), segment: LogIndex(1))
        }
        raw = block(.off)
        compressed = block(.zstd(level: 1))
    }

    @Test func everyFlippedBitIsRefused() {
        for block in [raw, compressed] {
            for position in 0 ..< block.encodedSize {
                var bytes = block.bytes.joined
                let byte = bytes.getInteger(at: position, as: UInt8.self) ?? 0
                bytes.setInteger(byte ^ (1 << UInt8(position % 8)), at: position)
                #expect(throws: BlockError.self, "bit flipped in byte \(position)") { try Block.decode(bytes) }
            }
        }
    }

    @Test func everyTruncationIsRefused() {
        for block in [raw, compressed] {
            for length in 0 ..< block.encodedSize {
                #expect(throws: BlockError.self, "cut to \(length)") {
                    try Block.decode(block.bytes.joined.getSlice(at: 0, length: length)!)
                }
            }
        }
        var longer = raw.bytes.joined
        longer.writeInteger(UInt64(0))
        #expect(throws: BlockError.trailingBytes(8)) { try Block.decode(longer) }
    }

    @Test func randomBytesBehindAValidMagicAreRefused() {
        var random = RandomSource(seed: 7)
        for _ in 0 ..< 2_000 {
            var bytes = ByteBuffer(bytes: (0 ..< 256).map { _ in UInt8.random(in: 0 ... 255, using: &random) })
            bytes.setInteger(BlockFormat.magic, at: 0, endianness: .little)
            bytes.setInteger(BlockFormat.version, at: 4)
            bytes.setInteger(UInt8.random(in: 0 ... 1, using: &random), at: 5)
            #expect(throws: BlockError.self) { try Block.decode(bytes) }
        }
    }

    /// Right checksums over wrong content: a peer's bug, not a disk's.
    @Test(arguments: [
        (8, UInt64(2)), (16, UInt64(0)), (16, .max), (24, .max), (32, 0), (32, .max), (36, UInt64(UInt32.max)),
        (52, 1),
    ])
    func fieldsThatNoEncoderWritesAreRefusedWhateverTheChecksum(offset: Int, value: UInt64) {
        var bytes = raw.bytes.joined
        if offset == 32 || offset == 36 {
            bytes.setInteger(UInt32(truncatingIfNeeded: value), at: offset, endianness: .little)
        } else {
            bytes.setInteger(value, at: offset, endianness: .little)
        }
        #expect(throws: BlockError.self) { try Block.decode(signed(bytes)) }
    }

    @Test func directoriesThatDoNotAddUpAreRefusedWhateverTheChecksum() {
        for (offset, byte) in [(64, UInt8(9)), (65, 1), (66, 200), (68, 200)] {
            var bytes = raw.bytes.joined
            bytes.setInteger(byte, at: offset)
            #expect(throws: BlockError.inconsistentDirectory) { try Block.decode(signed(bytes)) }
        }
    }

    @Test func aPayloadThatIsNoFrameOfTheStatedLengthIsAnErrorWhenRead() throws {
        var bytes = compressed.bytes.joined
        bytes.setInteger(UInt32(compressed.header.rawLength + 1), at: 40, endianness: .little)
        // One entry's length has to agree, or the directory would be refused first.
        let length = bytes.getInteger(at: 68, endianness: .little, as: UInt32.self) ?? 0
        bytes.setInteger(length + 1, at: 68, endianness: .little)
        let block = try Block.decode(signed(bytes))
        #expect(throws: BlockError.decompressionFailed) { try block.payload() }
    }

    private func signed(_ bytes: ByteBuffer) -> ByteBuffer {
        var bytes = bytes
        let checksum = bytes.withUnsafeReadableBytes {
            BlockHeader.checksum($0, directoryLength: raw.header.directoryLength)
        }
        bytes.setInteger(checksum, at: 60, endianness: .little)
        return bytes
    }
}
