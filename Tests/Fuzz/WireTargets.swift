import Basics
import KafkaWire
import NIOCore
import SegmentLog
@testable import Networking

/// A stream of bytes that arrives in pieces: the frames and the end of the stream do not depend on the pieces.
enum FrameTarget {
    static func run(_ input: ByteBuffer) {
        var input = input
        guard let pieceBytes = input.readInteger(as: UInt8.self) else { return }
        let whole = frames(of: [input])
        var pieces: [ByteBuffer] = []
        while input.readableBytes > 0,
            let piece = input.readSlice(length: min(input.readableBytes, Int(pieceBytes) + 1))
        {
            pieces.append(piece)
        }
        precondition(frames(of: pieces) == whole, "frames depend on how the bytes arrive")
    }

    private static func frames(of pieces: [ByteBuffer]) -> [ByteBuffer] {
        var accumulator = FrameAccumulator(frameBytesMax: 1_000, endianness: .big)
        var frames: [ByteBuffer] = []
        for piece in pieces {
            accumulator.append(piece)
            while true {
                guard case .frame(let frame) = accumulator.next() else { break }
                frames.append(frame.joined)
            }
            if case .invalid = accumulator.next() { break }
        }
        return frames
    }
}

/// Bodies of every request and response in every version: an error, or a message that reads the same when written.
///
///     offset size
///          0    1  which API, modulo their number
///          1    1  version, modulo the versions it has
///          2    …  body, read as a request and as a response
enum RequestTarget {
    private typealias Reader = @Sendable (_ body: ByteBuffer, _ version: Int) -> Void

    private static let readers: [Reader] = [
        reader(ProduceRequest.self), reader(FetchRequest.self), reader(ListOffsetsRequest.self),
        reader(MetadataRequest.self), reader(FindCoordinatorRequest.self), reader(ApiVersionsRequest.self),
        reader(CreateTopicsRequest.self), reader(DeleteTopicsRequest.self), reader(InitProducerIDRequest.self),
        reader(OffsetForLeaderEpochRequest.self), reader(DescribeConfigsRequest.self),
        reader(CreatePartitionsRequest.self), reader(DescribeClusterRequest.self),
    ]

    static func run(_ input: ByteBuffer) {
        var body = input
        guard let (api, version) = body.readMultipleIntegers(as: (UInt8, UInt8).self) else { return }
        readers[Int(api) % readers.count](body, Int(version))
        var frame = body
        _ = try? RequestHeader(from: &frame)
    }

    private static func reader<Request: KafkaRequest>(_: Request.Type) -> Reader {
        { body, version in read(Request.self, body, version) }
    }

    private static func read<Request: KafkaRequest>(_: Request.Type, _ body: ByteBuffer, _ number: Int) {
        let version = Request.versions.lowerBound + Int16(number % Request.versions.count)
        if let request = try? Request(decoding: body, version: version) {
            guard let frame = try? WireFrame(request, version: version, correlationID: 1, clientID: nil) else {
                preconditionFailure("\(request) was read and cannot be written")
            }
            var bytes = frame.withoutLength
            let header = try? RequestHeader(from: &bytes)
            precondition(header?.api == Request.api && header?.version == version)
            precondition((try? Request(decoding: bytes, version: version)) == request, "\(request) changed")
        }
        _ = try? Request.Response(decoding: body, version: version)
    }
}

/// Record batches as a producer sends them and as a consumer gets them, their checksums made right.
enum BatchTarget {
    /// Declared sizes of compressed records are taken for no more than this.
    private static let limit = 1.mebibytes

    static func run(_ input: ByteBuffer) {
        var batches = RecordBatches(input)
        while let next = try? batches.next() {
            precondition(next.bytes.readableBytes == next.header.totalByteCount)
            var batch = next
            _ = batch.isIntact
            batch.setAppendTime(1)
            precondition(batch.isIntact, "a sealed batch is intact")
            guard var reader = try? RecordBatchReader(batch, limit: limit) else { continue }
            var count = 0
            while let record = try? reader.next() {
                count += 1
                for header in record.headers { _ = header }
            }
            precondition(count <= Int(batch.header.recordCount), "more records than the header says")
        }
    }
}
