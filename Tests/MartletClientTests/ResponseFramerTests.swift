import NIOCore
import Testing

@testable import MartletClient

@Suite("Response framing")
struct ResponseFramerTests {
    private func frame(_ body: String) -> ByteBuffer {
        var buffer = ByteBuffer(integer: Int32(body.utf8.count))
        buffer.writeString(body)
        return buffer
    }

    @Test("responses come out whole, however their bytes are cut", arguments: 1...13)
    func cuts(pieceBytes: Int) throws {
        var stream = frame("first response")
        stream.writeImmutableBuffer(frame("second"))
        stream.writeImmutableBuffer(frame("the third one"))
        var framer = ResponseFramer(bytesMaximum: 100)
        var responses: [String] = []
        while stream.readableBytes > 0 {
            let piece = stream.readSlice(length: min(pieceBytes, stream.readableBytes))
            framer.append(try #require(piece))
            while let response = try framer.next() { responses.append(String(buffer: response)) }
        }
        #expect(responses == ["first response", "second", "the third one"])
    }

    @Test(
        "a length that is negative, too short or beyond the bound is refused",
        arguments: [-1, 3, 101, .max] as [Int32])
    func lengths(length: Int32) {
        var framer = ResponseFramer(bytesMaximum: 100)
        framer.append(ByteBuffer(integer: length))
        #expect(throws: KafkaClientError.self) { try framer.next() }
    }
}
