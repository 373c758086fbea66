import NIOCore
import Testing

@testable import KafkaWire

@Suite("Batches that a Produce request may not have")
struct RecordBatchValidationTests {
    @Test("A good batch is accepted, and its header returned", arguments: Codec.allCases)
    func good(_ codec: Codec) throws {
        let batch = try RecordBatchTests.sample(codec)
        let header = try RecordBatchHeader(
            validating: batch.bytes, maximumBytes: batch.bytes.readableBytes, produceVersion: 7
        )
        #expect(header == batch.header)
    }

    @Test("No bytes at all")
    func missing() {
        #expect(refusal(nil) == .missing)
        #expect(refusal(ByteBuffer()) == .missing)
        #expect(RecordBatchError.missing.errorCode == .invalidRecord)
    }

    @Test("Older formats, also those shorter than a header", arguments: [0, 1] as [Int8])
    func oldMagic(_ magic: Int8) throws {
        var bytes = ByteBuffer(repeating: 0, count: 34)
        bytes.setInteger(magic, at: 16)
        #expect(refusal(bytes) == .unsupportedMagic(magic))
        #expect(refusal(try sample { $0.setInteger(magic, at: 16) }) == .unsupportedMagic(magic))
    }

    @Test("Lengths that do not fit", arguments: [0, 16, 60])
    func short(_ length: Int) throws {
        var bytes = try sample()
        bytes.setInteger(2 as Int8, at: 16)
        let cut = try #require(bytes.getSlice(at: 0, length: length))
        #expect(refusal(cut) == (length == 0 ? .missing : .invalidLength))
        #expect(RecordBatchError.invalidLength.errorCode == .corruptMessage)
    }

    @Test("A batch length larger, smaller or negative", arguments: [Int32.max, Int32.min, -1, 0, 48])
    func wrongBatchLength(_ length: Int32) throws {
        #expect(refusal(try sample { $0.setInteger(length, at: 8) }) == .invalidLength)
    }

    @Test("A second batch, or anything else, after the first")
    func severalBatches() throws {
        var two = try sample()
        two.writeImmutableBuffer(try sample())
        #expect(refusal(two) == .severalBatches)
        #expect(RecordBatchError.severalBatches.errorCode == .invalidRecord)
    }

    @Test("More bytes than the topic allows")
    func tooLarge() throws {
        let bytes = try sample()
        #expect(refusal(bytes, maximumBytes: bytes.readableBytes - 1) == .tooLarge)
        #expect(RecordBatchError.tooLarge.errorCode == .messageTooLarge)
    }

    @Test("Any bit the CRC covers flipped on the way")
    func checksum() throws {
        let bytes = try sample()
        for position in 21..<bytes.readableBytes {
            var damaged = bytes
            let byte = try #require(bytes.getInteger(at: position, as: UInt8.self))
            damaged.setInteger(byte ^ 0x10, at: position)
            #expect(refusal(damaged) == .checksumMismatch)
        }
        #expect(RecordBatchError.checksumMismatch.errorCode == .corruptMessage)
    }

    @Test("A codec nobody defined, and zstd before version 7", arguments: [5, 6, 7] as [Int16])
    func codecs(_ codec: Int16) throws {
        #expect(refusal(try sealed { $0.setInteger(codec, at: 21) }) == .unsupportedCodec)
        let zstd = try RecordBatchTests.sample(.zstd).bytes
        #expect(refusal(zstd, produceVersion: 6) == .unsupportedCodec)
        #expect(refusal(zstd, produceVersion: 7) == nil)
        #expect(RecordBatchError.unsupportedCodec.errorCode == .unsupportedCompressionType)
    }

    @Test("Control batches and timestamps of the broker")
    func attributes() throws {
        #expect(refusal(try sealed { $0.setInteger(0x30 as Int16, at: 21) }) == .controlBatch)
        #expect(refusal(try sealed { $0.setInteger(0x08 as Int16, at: 21) }) == .appendTime)
        #expect(RecordBatchError.appendTime.errorCode == .invalidTimestamp)
    }

    @Test("Counts that contradict the offsets", arguments: [0, -1, 3, 5, Int32.max, Int32.min])
    func counts(_ count: Int32) throws {
        #expect(refusal(try sealed { $0.setInteger(count, at: 57) }) == .inconsistentCount)
        #expect(refusal(try sealed { $0.setInteger(count, at: 23) }) == (count == 3 ? nil : .inconsistentCount))
    }

    @Test("A producer id without a sequence")
    func sequence() throws {
        #expect(refusal(try sealed { $0.setInteger(9 as Int64, at: 43) }) == .missingSequence)
    }

    // MARK: -

    private func sample(_ change: (inout ByteBuffer) -> Void = { _ in }) throws -> ByteBuffer {
        var bytes = try RecordBatchTests.sample(.none).bytes
        change(&bytes)
        return bytes
    }

    /// A changed batch whose CRC is right again.
    private func sealed(_ change: (inout ByteBuffer) -> Void) throws -> ByteBuffer {
        var bytes = try sample(change)
        bytes.setInteger(RecordBatchHeader.checksum(of: bytes), at: 17)
        return bytes
    }

    private func refusal(
        _ bytes: ByteBuffer?, maximumBytes: Int = 1 << 20, produceVersion: Int16 = 9
    ) -> RecordBatchError? {
        do {
            _ = try RecordBatchHeader(
                validating: bytes, maximumBytes: maximumBytes, produceVersion: produceVersion
            )
            return nil
        } catch {
            return error
        }
    }
}
