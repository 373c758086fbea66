import Basics
import NIOCore
import Testing

@testable import SegmentLog

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Bytes that were written once must be readable for ever. Run with `UPDATE_GOLDEN=1` to write the files anew; a
/// change of an existing one is a change of a format, which needs a new version number.
@Suite struct GoldenTests {
    private func block(_ compression: BlockCompression) -> Block {
        let text = String(repeating: "one two three four five six seven eight nine ten ", count: 20)
        let entries = [
            Entry(type: .noop, payload: ByteBuffer()),
            Entry(head: ByteBuffer(string: "head"), payload: ByteBuffer(string: text)),
            Entry(type: .configuration, payload: ByteBuffer(string: "configuration")),
        ]
        return BlockEncoder().encode(entries, shard: ShardID(2), compression: compression)
            .stamp(base: LogIndex(1_001), term: Term(3), segment: LogIndex(1_000))
    }

    @Test func aRawBlock() throws {
        let golden = try Golden("block-raw").bytes(orWrite: block(.off).bytes.joined)
        #expect(golden == block(.off).bytes.joined)
        #expect(try Block.decode(golden).payload() == block(.off).rawPayload)
    }

    /// Another version of zstd may compress to other bytes; what counts is that these can be read.
    @Test func aCompressedBlockFromEarlierCanBeRead() throws {
        let golden = try Golden("block-zstd").bytes(orWrite: block(.zstd(level: 1)).bytes.joined)
        let decoded = try Block.decode(golden)
        #expect(decoded.codec == .zstd)
        #expect(try decoded.payload() == block(.off).rawPayload)
        #expect(decoded.entries.map(\.type) == [.noop, .command, .configuration])
    }

    @Test func aSegmentHeader() throws {
        let header = SegmentFormat.header(shard: ShardID(2), base: LogIndex(1_000))
        #expect(try Golden("segment-header").bytes(orWrite: header) == header)
    }

    @Test func aSidecar() throws {
        var table = SegmentTable(segment: LogIndex(1_000))
        table.append(.init(base: LogIndex(1_000), term: Term(2), position: 64, length: 128, count: 1))
        table.append(.init(base: LogIndex(1_001), term: Term(3), position: 192, length: 1_112, count: 3))
        let sidecar = table.sidecar(shard: ShardID(2))
        let golden = try Golden("sidecar").bytes(orWrite: sidecar)
        #expect(golden == sidecar)
        let read = SegmentTable(sidecar: golden, shard: ShardID(2), segment: LogIndex(1_000), fileBytes: 1_304)
        #expect(read == table)
    }

    @Test func anOffsetsHeader() throws {
        let header = OffsetsFile.header(of: ByteBuffer(string: "content"), shard: ShardID(2), segment: LogIndex(1_000))
        #expect(try Golden("offsets-header").bytes(orWrite: header) == header)
    }

    @Test func aState() throws {
        let state = LogState(
            sequence: 9, hardState: HardStateRecord(term: 4, vote: 2), watermark: LogIndex(1_003),
            firstSegment: LogIndex(500), truncations: 1)
        let golden = try Golden("state").bytes(orWrite: state.encode(shard: ShardID(2)))
        #expect(golden == state.encode(shard: ShardID(2)))
        let read = try #require(LogState.decode(golden))
        #expect(read.state == state && read.shard == ShardID(2))
    }
}

/// A file of hexadecimal digits, 32 bytes a line.
private struct Golden {
    private let path: String

    init(_ name: String) {
        path = #filePath.split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/Golden/\(name).hex"
    }

    func bytes(orWrite current: ByteBuffer) throws -> ByteBuffer {
        let files = POSIXFileSystem()
        if getenv("UPDATE_GOLDEN") != nil {
            let file = try files.open(path, .create)
            try file.truncate(to: 0)
            try file.write([ByteBuffer(string: hex(current))], at: 0)
        }
        let file = try files.open(path, .read)
        let text = try file.read(at: 0, length: file.size())
        let digits = text.readableBytesView.filter { $0 != UInt8(ascii: "\n") }
        var bytes = ByteBuffer()
        for position in stride(from: 0, to: digits.count - 1, by: 2) {
            let byte = UInt8(String(decoding: digits[position ... position + 1], as: UTF8.self), radix: 16)
            bytes.writeInteger(try #require(byte))
        }
        return bytes
    }

    private func hex(_ bytes: ByteBuffer) -> String {
        let digits = bytes.readableBytesView.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
        return stride(from: 0, to: digits.count, by: 32).map { start in
            digits[start ..< min(start + 32, digits.count)].joined() + "\n"
        }.joined()
    }
}
