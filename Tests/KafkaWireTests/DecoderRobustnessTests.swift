import Basics
import NIOCore
import Testing

@testable import KafkaWire

@Suite("Bad bytes are an error, never a crash or a large allocation")
struct DecoderRobustnessTests {
    @Test("A body cut off anywhere is an error", arguments: MessageVersion.all)
    func truncated(_ tested: MessageVersion) throws {
        try truncate(tested.message, version: tested.version)
    }

    private func truncate<Message: KafkaMessage>(_: Message.Type, version: Int16) throws {
        for seed in 0..<2 as Range<UInt64> {
            let body = try randomBody(Message.self, version: version, seed: seed)
            var accepted: [Int] = []
            for length in 0..<min(body.readableBytes, 1_000) {
                let cut = try #require(body.getSlice(at: body.readerIndex, length: length))
                if (try? Message(decoding: cut, version: version)) != nil { accepted.append(length) }
            }
            #expect(accepted == [], "seed \(seed), of \(body.readableBytes) bytes")
        }
    }

    @Test("A damaged body is an error or another message", arguments: MessageVersion.all)
    func damaged(_ tested: MessageVersion) throws {
        try damage(tested.message, version: tested.version)
    }

    private func damage<Message: KafkaMessage>(_: Message.Type, version: Int16) throws {
        var random = RandomSource(seed: UInt64(version))
        for seed in 0..<20 as Range<UInt64> {
            var body = try randomBody(Message.self, version: version, seed: seed)
            guard body.readableBytes > 0 else { continue }
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let position = Int.random(in: body.readerIndex..<body.writerIndex, using: &random)
                let byte = try #require(body.getInteger(at: position, as: UInt8.self))
                body.setInteger(byte ^ 1 << UInt8.random(in: 0..<8, using: &random), at: position)
            }
            try readAndWriteAgain(Message.self, from: body, version: version)
        }
    }

    @Test("Random bytes are an error or a message", arguments: MessageVersion.all)
    func randomBytes(_ tested: MessageVersion) throws {
        var random = RandomSource(seed: 7)
        for _ in 0..<60 {
            let length = Int.random(in: 0..<200, using: &random)
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            try readAndWriteAgain(tested.message, from: ByteBuffer(bytes: bytes), version: tested.version)
        }
    }

    /// Bytes that pass for a message must be a message: one that can be written, and read as the same again.
    private func readAndWriteAgain<Message: KafkaMessage>(
        _: Message.Type, from body: ByteBuffer, version: Int16
    ) throws {
        guard let message = try? Message(decoding: body, version: version) else { return }
        let again = try Message(decoding: try encodedBody(message, version: version), version: version)
        #expect(again == message)
    }

    @Test("A count larger than the bytes that follow is refused before anything is allocated")
    func hugeCount() {
        let fixed = ByteBuffer(bytes: [0x7F, 0xFF, 0xFF, 0xFF, 0x00])
        #expect(throws: WireError.invalidLength) { try MetadataRequest(decoding: fixed, version: 0) }
        let compact = ByteBuffer(bytes: [0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0x00])
        #expect(throws: WireError.invalidLength) { try MetadataRequest(decoding: compact, version: 9) }
        let negative = ByteBuffer(bytes: [0xFF, 0xFF, 0xFF, 0xFE])
        #expect(throws: WireError.invalidLength) { try MetadataRequest(decoding: negative, version: 1) }
    }

    @Test("Many small elements are refused when they would take more memory than a message may")
    func manyElements() {
        let count = WireDecoder.maximumArrayBytes / MemoryLayout<MetadataRequest.Topic>.stride + 1
        var body = ByteBuffer()
        body.writeInteger(Int32(count))
        body.writeRepeatingByte(0, count: 2 * count)
        #expect(throws: WireError.arraysTooLarge) { try MetadataRequest(decoding: body, version: 1) }
    }

    @Test("A varint that does not end, or has more bits than its type, is refused")
    func badVarints() {
        let endless = [UInt8](repeating: 0x80, count: 12)
        #expect(throws: WireError.invalidVarint) { try unsignedVarint(endless) }
        #expect(throws: WireError.invalidVarint) { try varlong(endless) }
        #expect(throws: WireError.invalidVarint) { try unsignedVarint([0xFF, 0xFF, 0xFF, 0xFF, 0x1F]) }
        #expect(throws: WireError.truncated) { try unsignedVarint([0x80]) }
    }

    private func unsignedVarint(_ bytes: [UInt8]) throws -> UInt32 {
        try bytes.withUnsafeBytes { bytes in
            var cursor = ByteCursor(bytes)
            return try cursor.unsignedVarint()
        }
    }

    private func varlong(_ bytes: [UInt8]) throws -> Int64 {
        try bytes.withUnsafeBytes { bytes in
            var cursor = ByteCursor(bytes)
            return try cursor.varlong()
        }
    }

    @Test("A request header cut off anywhere is an error")
    func truncatedHeader() throws {
        let request = ApiVersionsRequest { $0.clientSoftwareName = "x" }
        var whole = try WireFrame(request, version: 3, correlationID: 5, clientID: "client").contiguous
        whole.moveReaderIndex(forwardBy: 4)
        let headerBytes = 8 + 2 + 6 + 1
        for length in 0..<headerBytes {
            let cut = try #require(whole.getSlice(at: whole.readerIndex, length: length))
            #expect(throws: WireError.truncated) {
                var rest = cut
                _ = try RequestHeader(from: &rest)
            }
        }
    }

    private func randomBody<Message: KafkaMessage>(
        _: Message.Type, version: Int16, seed: UInt64
    ) throws -> ByteBuffer {
        var randomizer = Randomizer(version: version, random: RandomSource(seed: seed))
        return try encodedBody(randomizer.message(Message.self), version: version)
    }
}
