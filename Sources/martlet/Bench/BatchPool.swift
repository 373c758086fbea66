import Basics
import KafkaWire
import NIOCore

/// Batches that were built before the measurement, so that sending costs the client next to nothing.
///
/// There are enough different ones (at least 64) that neither the broker's compression nor a cache gains anything from
/// seeing one twice.
struct BatchPool: Sendable {
    struct Batch: Sendable {
        /// As they go over the wire.
        var bytes: ByteBuffer
        var records: Int
        /// Of the values, before compression.
        var payloadBytes: Int
    }

    static let countMinimum = 64

    private(set) var batches: [Batch] = []

    /// - Parameter batchBytes: of the values in one batch, before compression; a batch has one record at least.
    init(
        _ kind: PayloadKind, recordBytes: Int, batchBytes: Int, codec: Codec, count: Int, seed: UInt64,
        timestamp: Milliseconds
    ) throws {
        var payloads = PayloadGenerator(kind, byteCount: recordBytes, seed: seed)
        let records = max(1, batchBytes / max(1, recordBytes))
        for _ in 0..<count {
            var builder = RecordBatchBuilder(codec: codec)
            for _ in 0..<records { builder.append(key: nil, value: payloads.next(), timestamp: timestamp) }
            let batch = try builder.build()
            batches.append(Batch(bytes: batch.bytes, records: records, payloadBytes: records * recordBytes))
        }
    }

    /// How much smaller the codec makes the values; 1 without one.
    var ratio: Double {
        let payload = batches.reduce(0) { $0 + $1.payloadBytes }
        let wire = batches.reduce(0) { $0 + $1.bytes.readableBytes }
        return wire == 0 ? 1 : Double(payload) / Double(wire)
    }
}
