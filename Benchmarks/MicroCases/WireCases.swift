import Basics
import KafkaWire
import Networking
import NIOCore

extension Samples {
    static func batch(isCompressible: Bool = false) throws -> ByteBuffer {
        try batch(of: values(isCompressible: isCompressible))
    }

    static func batch(of values: [ByteBuffer]) throws -> ByteBuffer {
        var builder = RecordBatchBuilder()
        for value in values { builder.append(key: nil, value: value, timestamp: 0) }
        return try builder.build().bytes
    }

    /// A Produce request for one batch, without its length.
    static func produceFrame(
        _ batch: ByteBuffer? = nil, topic: String = "topic", partition: Int32 = 0
    ) throws -> ByteBuffer {
        let batch = try batch ?? Samples.batch()
        let request = ProduceRequest {
            $0.acks = -1
            $0.timeoutMs = 30_000
            $0.topics = [
                .init {
                    $0.name = topic
                    $0.partitions = [
                        .init {
                            $0.index = partition
                            $0.records = batch
                        }
                    ]
                }
            ]
        }
        return try frame(request, version: 9)
    }

    /// A request, without its length.
    static func frame<Request: KafkaRequest>(_ request: Request, version: Int16) throws -> ByteBuffer {
        let whole = try WireFrame(request, version: version, correlationID: 1, clientID: "micro").contiguous
        return whole.getSlice(at: whole.readerIndex + 4, length: whole.readableBytes - 4) ?? ByteBuffer()
    }
}

extension MicroCase {
    static let wireCases = [
        MicroCase("batch header: validate") {
            let batch = try Samples.batch()
            return { _ = try RecordBatchHeader(validating: batch, maximumBytes: 1 << 20, produceVersion: 9) }
        },
        MicroCase("produce request: decode") {
            let frame = try Samples.produceFrame()
            return {
                var body = frame
                let header = try RequestHeader(from: &body)
                _ = try ProduceRequest(decoding: body, version: header.version)
            }
        },
        // Four frames in three reads: two of the frames come in two parts.
        MicroCase("frame accumulator: cut four frames") {
            let frame = try Samples.produceFrame()
            var stream = ByteBuffer()
            for _ in 0..<4 {
                stream.writeInteger(UInt32(frame.readableBytes))
                stream.writeImmutableBuffer(frame)
            }
            let part = stream.readableBytes / 3
            let reads = try [part, part, stream.readableBytes - 2 * part].map { length in
                guard let read = stream.readSlice(length: length) else { throw WireError.invalidFrame }
                return read
            }
            return {
                var frames = FrameAccumulator(frameBytesMax: 1 << 20, endianness: .big)
                for read in reads {
                    frames.append(read)
                    while case .frame = frames.next() {}
                }
            }
        },
        MicroCase("fetch response: encode") {
            let batch = try Samples.batch()
            return {
                var records = Records()
                for number in 0..<4 {
                    records.append(
                        batch: batch, baseOffset: Int64(number * Samples.recordsPerBatch), leaderEpoch: 1)
                }
                let response = FetchResponse {
                    $0.topics = [
                        .init {
                            $0.name = "topic"
                            $0.partitions = [.init { $0.records = records }]
                        }
                    ]
                }
                _ = try WireFrame(response, version: 12, correlationID: 1)
            }
        },
    ]
}
