import Basics
import NIOCore
import Testing

@testable import KafkaWire

@Suite("Codecs")
struct CompressionTests {
    static let codecs = Codec.allCases

    @Test("A block is decompressed to what it was", arguments: codecs, [0, 1, 100, 32_768, 32_769, 300_000])
    func roundTrip(_ codec: Codec, _ size: Int) throws {
        let block = Self.text(size)
        let compressed = try Compression.compress(block, with: codec)
        #expect(try Compression.decompress(compressed, with: codec, limit: size) == block)
        if size > 1_000 && codec != .none { #expect(compressed.readableBytes < size / 2) }
    }

    @Test("Random bytes, which do not shrink, survive too", arguments: codecs)
    func incompressible(_ codec: Codec) throws {
        let block = Self.noise(100_000)
        let compressed = try Compression.compress(block, with: codec)
        #expect(try Compression.decompress(compressed, with: codec, limit: 100_000) == block)
    }

    @Test("One byte more than the limit is too much", arguments: codecs, [1, 5_000, 70_000])
    func limit(_ codec: Codec, _ size: Int) throws {
        let compressed = try Compression.compress(Self.text(size), with: codec)
        #expect(throws: CompressionError.tooLarge) {
            try Compression.decompress(compressed, with: codec, limit: size - 1)
        }
    }

    @Test("A bomb is stopped at the limit", arguments: [Codec.gzip, .lz4, .zstd, .snappy])
    func bomb(_ codec: Codec) throws {
        let bomb = try Compression.compress(ByteBuffer(repeating: 0, count: 50_000_000), with: codec)
        #expect(throws: CompressionError.tooLarge) {
            try Compression.decompress(bomb, with: codec, limit: 1_000_000)
        }
    }

    @Test("A block cut off anywhere is corrupt", arguments: [Codec.gzip, .snappy, .lz4, .zstd])
    func truncated(_ codec: Codec) throws {
        let compressed = try Compression.compress(Self.text(3_000), with: codec)
        for length in 0..<compressed.readableBytes {
            let cut = try #require(compressed.getSlice(at: compressed.readerIndex, length: length))
            let result = try? Compression.decompress(cut, with: codec, limit: 1 << 20)
            // A snappy frame of no block at all is whole, and says nothing.
            #expect(result == nil || result?.readableBytes == 0 && codec == .snappy, "\(length) bytes")
        }
    }

    @Test("A damaged block is an error or other bytes, within the limit", arguments: [Codec.gzip, .snappy, .lz4, .zstd])
    func damaged(_ codec: Codec) throws {
        var random = RandomSource(seed: 11)
        let compressed = try Compression.compress(Self.text(3_000), with: codec)
        for _ in 0..<500 {
            var bytes = compressed
            let position = Int.random(in: 0..<bytes.readableBytes, using: &random)
            let byte = try #require(bytes.getInteger(at: position, as: UInt8.self))
            bytes.setInteger(byte ^ 1 << UInt8.random(in: 0..<8, using: &random), at: position)
            if let result = try? Compression.decompress(bytes, with: codec, limit: 10_000) {
                #expect(result.readableBytes <= 10_000)
            }
        }
    }

    @Test("Raw snappy, which some clients send, is read")
    func rawSnappy() throws {
        // Length 5; one literal of five bytes.
        let raw = ByteBuffer(bytes: [0x05, 0x10] + Array("hello".utf8))
        #expect(try Compression.decompress(raw, with: .snappy, limit: 5) == ByteBuffer(string: "hello"))
    }

    @Test("Snappy frames have xerial's header and may hold many blocks")
    func xerialSnappy() throws {
        let header: [UInt8] = [0x82, 0x53, 0x4E, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]
        let block: [UInt8] = [0, 0, 0, 7, 0x05, 0x10] + Array("hello".utf8)
        let framed = ByteBuffer(bytes: header + block + block)
        #expect(try Compression.decompress(framed, with: .snappy, limit: 10) == ByteBuffer(string: "hellohello"))

        let written = try Compression.compress(ByteBuffer(string: "hello"), with: .snappy)
        #expect(written == ByteBuffer(bytes: header + block))
    }

    @Test("A snappy block that claims more than its bytes can become is corrupt")
    func snappyClaim() {
        let claim = ByteBuffer(bytes: [0xFF, 0xFF, 0xFF, 0x7F, 0x00, 0x61])
        #expect(throws: CompressionError.corrupt) {
            try Compression.decompress(claim, with: .snappy, limit: 1 << 30)
        }
    }

    @Test("Several gzip members count as one")
    func gzipMembers() throws {
        var members = try Compression.compress(ByteBuffer(string: "one "), with: .gzip)
        members.writeImmutableBuffer(try Compression.compress(ByteBuffer(string: "two"), with: .gzip))
        #expect(try Compression.decompress(members, with: .gzip, limit: 100) == ByteBuffer(string: "one two"))
    }

    @Test("Bytes after the end of a block are corrupt", arguments: [Codec.gzip, .snappy, .lz4, .zstd])
    func trailingBytes(_ codec: Codec) throws {
        var compressed = try Compression.compress(ByteBuffer(string: "hello"), with: codec)
        compressed.writeBytes([1, 2, 3, 4, 5, 6, 7, 8])
        #expect(throws: CompressionError.corrupt) {
            try Compression.decompress(compressed, with: codec, limit: 1_000)
        }
    }

    @Test("LZ4 frames have independent blocks, which Java's client demands")
    func lz4Flags() throws {
        let frame = try Compression.compress(Self.text(200_000), with: .lz4)
        let flags = try #require(frame.getInteger(at: 4, as: UInt8.self))
        #expect(flags & 0b0010_0000 != 0)
    }

    static func text(_ size: Int) -> ByteBuffer {
        let phrase = Array("orders are shipped in the order in which they came, ".utf8)
        return ByteBuffer(bytes: (0..<size).map { phrase[$0 % phrase.count] })
    }

    static func noise(_ size: Int) -> ByteBuffer {
        var random = RandomSource(seed: 5)
        return ByteBuffer(bytes: (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    }
}
