import Basics
import NIOCore
import Testing

@testable import KafkaWire

@Suite("Messages survive a round trip")
struct RoundTripTests {
    @Test("A message of random contents is read back as it was written", arguments: MessageVersion.all)
    func randomContents(_ tested: MessageVersion) throws {
        for seed in 0..<16 as Range<UInt64> {
            try roundTrip(tested.message, version: tested.version, seed: seed)
        }
    }

    private func roundTrip<Message: KafkaMessage>(_: Message.Type, version: Int16, seed: UInt64) throws {
        var randomizer = Randomizer(version: version, random: RandomSource(seed: seed))
        let message = randomizer.message(Message.self)
        let body = try encodedBody(message, version: version)
        #expect(try Message(decoding: body, version: version) == message, "seed \(seed)")
    }

    @Test("Bytes after a body are ignored, because some clients pad", arguments: MessageVersion.all)
    func trailingBytes(_ tested: MessageVersion) throws {
        try padded(tested.message, version: tested.version)
    }

    private func padded<Message: KafkaMessage>(_: Message.Type, version: Int16) throws {
        var body = try encodedBody(Message(), version: version)
        body.writeBytes([0xDE, 0xAD])
        #expect(try Message(decoding: body, version: version) == Message())
    }

    @Test("Tagged fields nobody knows are skipped")
    func unknownTags() throws {
        // A DescribeCluster request v0: one bool, then the tagged section with tags 3 and 900.
        let body = ByteBuffer(bytes: [0x01, 0x02, 0x03, 0x02, 0xAA, 0xBB, 0x84, 0x07, 0x00])
        let request = try DescribeClusterRequest(decoding: body, version: 0)
        #expect(request.includeClusterAuthorizedOperations)
    }

    @Test("Tags that do not ascend are an error")
    func unorderedTags() {
        let body = ByteBuffer(bytes: [0x01, 0x02, 0x03, 0x00, 0x03, 0x00])
        #expect(throws: WireError.unorderedTags) { try DescribeClusterRequest(decoding: body, version: 0) }
    }

    @Test("Null where the version has none is an error on both sides")
    func nullNotAllowed() {
        var request = MetadataRequest()
        request.topics = nil
        #expect(throws: WireError.unexpectedNull) { try encodedBody(request, version: 0) }
        let body = ByteBuffer(bytes: [0xFF, 0xFF, 0xFF, 0xFF])
        #expect(throws: WireError.unexpectedNull) { try MetadataRequest(decoding: body, version: 0) }
    }

    @Test("A string that is too long for the protocol is an error and not a broken frame")
    func longString() {
        let request = FindCoordinatorRequest { $0.key = String(repeating: "x", count: 32_768) }
        #expect(throws: WireError.stringTooLong) { try encodedBody(request, version: 0) }
        #expect(throws: WireError.stringTooLong) { try encodedBody(request, version: 3) }
    }

    @Test("A version outside the range is refused on both sides")
    func unsupportedVersion() {
        let refusal = WireError.unsupportedVersion(api: .produce, version: 2)
        #expect(throws: refusal) { try ProduceRequest(decoding: ByteBuffer(), version: 2) }
        #expect(throws: refusal) { try WireFrame(ProduceResponse(), version: 2, correlationID: 1) }
    }
}

/// The body alone, as one buffer.
func encodedBody<Message: KafkaMessage>(_ message: Message, version: Int16) throws -> ByteBuffer {
    var encoder = WireEncoder(version: version, isFlexible: Message.isFlexible(version))
    encoder.write(0 as Int32)
    try message.encode(to: &encoder)
    var frame = try encoder.finishFrame().contiguous
    frame.moveReaderIndex(forwardBy: 4)
    return frame
}
