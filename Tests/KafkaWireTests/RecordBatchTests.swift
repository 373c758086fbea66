import Basics
import NIOCore
import Testing

@testable import KafkaWire

@Suite("Record batches")
struct RecordBatchTests {
    @Test("A batch has the bytes of the format's description, and its CRC is CRC-32C")
    func golden() throws {
        let header = "0000000000000000 00000039 ffffffff 02 ae59b08f 0000 00000000 00000000000003e8 00000000000003e8"
        let producer = "ffffffffffffffff ffff ffffffff 00000001"
        let record = "0e 00 00 00 01 02 76 00"
        let expected = try #require(ByteBuffer(hex: header + producer + record))

        var builder = RecordBatchBuilder()
        builder.append(key: nil, value: ByteBuffer(string: "v"), timestamp: 1_000)
        let batch = try builder.build()
        #expect(batch.bytes == expected)
        #expect(RecordBatchHeader.checksum(of: expected) == 0xAE59_B08F)
        #expect(batch.header == RecordBatchHeader(expected))
    }

    @Test("A batch is read back as it was built", arguments: Codec.allCases)
    func roundTrip(_ codec: Codec) throws {
        let batch = try Self.sample(codec)
        #expect(batch.isIntact)
        #expect(batch.header.attributes.codec == codec)
        #expect(batch.header.baseTimestamp == 1_000)
        #expect(batch.header.maxTimestamp == 1_005)
        #expect(batch.header.recordCount == 4)
        #expect(batch.header.lastOffset == 3)

        let records = try Self.records(of: batch)
        #expect(records.map(\.offset) == [0, 1, 2, 3])
        #expect(records.map(\.timestamp) == [1_000, 998, 1_005, 1_005])
        #expect(records[0].key == ByteBuffer(string: "key") && records[0].value == ByteBuffer(string: "value"))
        #expect(records[1].key == nil && records[1].value == ByteBuffer(string: ""))
        #expect(records[2].key == ByteBuffer(string: "gone") && records[2].value == nil)
        #expect(records[0].headers.count == 0)
        let headers = [
            RecordHeader(key: "trace", value: ByteBuffer(string: "1")), RecordHeader(key: "", value: nil),
        ]
        #expect(Array(records[3].headers) == headers)
    }

    @Test("Offsets follow the base offset, timestamps the append time where the broker set it")
    func assigned() throws {
        var batch = try Self.sample(.gzip)
        let untouched = batch.bytes
        batch.assign(baseOffset: 500, leaderEpoch: 9)
        #expect(batch.isIntact)
        #expect(batch.header.crc == RecordBatchHeader(untouched)?.crc)
        #expect(RecordBatchHeader(batch.bytes) == batch.header)
        #expect(RecordBatchHeader(untouched)?.baseOffset == 0)

        batch.setAppendTime(7_777)
        #expect(batch.isIntact)
        #expect(RecordBatchHeader(batch.bytes) == batch.header)
        let records = try Self.records(of: batch)
        #expect(records.map(\.offset) == [500, 501, 502, 503])
        #expect(records.allSatisfy { $0.timestamp == 7_777 })
    }

    @Test("A producer's identity is in the header, and sequences wrap")
    func producerIdentity() throws {
        var builder = RecordBatchBuilder()
        builder.producerID = 4_000
        builder.producerEpoch = 2
        builder.baseSequence = .max - 1
        builder.isTransactional = true
        for _ in 0..<4 { builder.append(key: nil, value: nil, timestamp: 0) }
        let header = try builder.build().header
        #expect(header.hasProducerID && header.producerID == 4_000 && header.producerEpoch == 2)
        #expect(header.attributes.isTransactional)
        #expect(header.lastSequence == 1)
    }

    @Test("The builder tells the size of an uncompressed batch beforehand")
    func builderSize() throws {
        var builder = RecordBatchBuilder()
        #expect(builder.isEmpty && builder.byteCount == 61)
        builder.append(key: nil, value: ByteBuffer(string: "v"), timestamp: 0)
        let size = try builder.build().bytes.readableBytes
        #expect(size == builder.byteCount)
    }

    @Test("Batches one after another are read until one is cut off")
    func sequenceOfBatches() throws {
        let first = try Self.sample(.none)
        let second = try Self.sample(.lz4)
        var blob = first.bytes
        blob.writeImmutableBuffer(second.bytes)
        blob.writeBytes(first.bytes.readableBytesView.prefix(70))
        var batches = RecordBatches(blob)
        var found: [RecordBatch] = []
        while let batch = try batches.next() { found.append(batch) }
        #expect(found == [first, second])
    }

    @Test("A batch length that cannot be is an error and not an endless loop", arguments: [-1, 0, 48, .min] as [Int32])
    func impossibleLength(_ length: Int32) throws {
        var blob = try Self.sample(.none).bytes
        blob.setInteger(length, at: 8)
        var batches = RecordBatches(blob)
        var thrown: RecordBatchError?
        do { _ = try batches.next() } catch { thrown = error }
        #expect(thrown == .invalidLength)
    }

    @Test("Records that do not fit their batch are malformed", arguments: [-1, 3, 5, Int32.max] as [Int32])
    func wrongRecordCount(_ count: Int32) throws {
        var bytes = try Self.sample(.none).bytes
        bytes.setInteger(count, at: 57)
        #expect(throws: RecordBatchError.self) { try Self.records(of: RecordBatch(bytes)) }
    }

    @Test("Damaged records are an error or other records, never a crash")
    func damagedRecords() throws {
        var random = RandomSource(seed: 21)
        let intact = try Self.sample(.none).bytes
        var refused = 0
        for _ in 0..<2_000 {
            var bytes = intact
            let position = Int.random(in: RecordBatchHeader.byteCount..<bytes.readableBytes, using: &random)
            bytes.setInteger(UInt8.random(in: 0...255, using: &random), at: position)
            do {
                for record in try Self.records(of: RecordBatch(bytes)) { #expect(Array(record.headers).count <= 2) }
            } catch is RecordBatchError {
                refused += 1
            }
        }
        #expect(refused > 0)
    }

    static func sample(_ codec: Codec) throws -> RecordBatch {
        var builder = RecordBatchBuilder(codec: codec)
        builder.append(key: ByteBuffer(string: "key"), value: ByteBuffer(string: "value"), timestamp: 1_000)
        builder.append(key: nil, value: ByteBuffer(string: ""), timestamp: 998)
        builder.append(key: ByteBuffer(string: "gone"), value: nil, timestamp: 1_005)
        builder.append(
            key: nil,
            value: ByteBuffer(string: "with headers"),
            headers: [
                RecordHeader(key: "trace", value: ByteBuffer(string: "1")), RecordHeader(key: "", value: nil),
            ],
            timestamp: 1_005
        )
        return try builder.build()
    }

    static func records(of batch: RecordBatch) throws -> [Record] {
        var reader = try RecordBatchReader(batch, limit: 1 << 20)
        var records: [Record] = []
        while let record = try reader.next() { records.append(record) }
        return records
    }
}
