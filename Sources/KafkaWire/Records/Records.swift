import Basics
import NIOCore

/// Record batches on their way out: an ordered list of slices of wherever they lie, not copied.
///
/// A value with no owner but its message; holds the buffers it was given alive until the frame is written.
public struct Records: Sendable {
    /// One slice, and what to put over the beginning of the batch in it.
    struct Part: Sendable {
        var stamp: BatchStamp?
        var bytes: ByteBuffer
    }

    private(set) var parts: [Part] = []
    /// The bytes of all parts together.
    public private(set) var byteCount = 0

    public init() {}

    /// Bytes that already are as a client shall see them.
    public init(_ bytes: ByteBuffer) {
        append(bytes)
    }

    public var isEmpty: Bool { byteCount == 0 }

    /// Adds bytes that already are as a client shall see them: whole batches.
    public mutating func append(_ bytes: ByteBuffer) {
        parts.append(Part(stamp: nil, bytes: bytes))
        byteCount += bytes.readableBytes
    }

    /// Adds one batch as its producer sent it, to be seen at another offset and leader epoch. Neither is covered by
    /// the batch's checksum, and the batch itself is not touched.
    ///
    /// - Parameter batch: one whole batch; at least a header of ``RecordBatchHeader/byteCount`` bytes.
    public mutating func append(batch: ByteBuffer, baseOffset: Int64, leaderEpoch: Int32) {
        invariant(batch.readableBytes >= RecordBatchHeader.byteCount, "a batch has a header")
        parts.append(Part(stamp: BatchStamp(baseOffset: baseOffset, leaderEpoch: leaderEpoch), bytes: batch))
        byteCount += batch.readableBytes
    }

    /// All of it in one buffer; copies unless it is one slice without a stamp.
    public var contiguous: ByteBuffer {
        if parts.count == 1 && parts[0].stamp == nil { return parts[0].bytes }
        var whole = ByteBuffer()
        whole.reserveCapacity(byteCount)
        for part in parts {
            var bytes = part.bytes
            if let head = part.stamp?.head(ofBatch: &bytes) {
                whole.writeMultipleIntegers(head.baseOffset, head.batchLength, head.leaderEpoch)
            }
            whole.writeBuffer(&bytes)
        }
        return whole
    }
}

extension Records: Equatable {
    /// Equal when a client would see the same bytes, however they are cut into parts.
    public static func == (a: Records, b: Records) -> Bool {
        a.byteCount == b.byteCount && a.contiguous == b.contiguous
    }
}

/// The two fields of a batch that its broker assigns.
struct BatchStamp: Sendable {
    var baseOffset: Int64
    var leaderEpoch: Int32

    /// The fields in the first 16 bytes of a batch.
    struct Head {
        var baseOffset: Int64
        var batchLength: Int32
        var leaderEpoch: Int32
    }

    /// Takes the first 16 bytes off `batch` and puts these fields in their places.
    func head(ofBatch batch: inout ByteBuffer) -> Head {
        let batchLength = batch.getInteger(at: batch.readerIndex + 8, as: Int32.self) ?? 0
        batch.moveReaderIndex(forwardBy: 16)
        return Head(baseOffset: baseOffset, batchLength: batchLength, leaderEpoch: leaderEpoch)
    }
}
