import KafkaWire
import NIOCore

/// What was produced first, kept in memory as consumers get it: what reading costs at least is to send it.
///
/// Owner: the null broker's event loop. There is one topic, so partitions are told by number; bounded by `bytesMax`.
final class RetainedRecords {
    private struct Partition {
        var bytes = ByteBuffer()
        /// Where the batch that begins at an offset lies.
        var positions: [Int64: Int] = [:]
        var end: Int64 = 0
    }

    private let bytesMax: Int
    private var bytes = 0
    private var partitions: [Int32: Partition] = [:]

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    func append(_ batch: ByteBuffer, to number: Int32) {
        guard bytes + batch.readableBytes <= bytesMax, let header = RecordBatchHeader(batch) else { return }
        bytes += batch.readableBytes
        var partition = partitions.removeValue(forKey: number) ?? Partition()
        let position = partition.bytes.writerIndex
        partition.positions[partition.end] = position
        partition.bytes.writeImmutableBuffer(batch)
        // The base offset is what a batch begins with, and no part of its checksum.
        partition.bytes.setInteger(partition.end, at: position)
        partition.end += Int64(header.recordCount)
        partitions[number] = partition
    }

    func end(of number: Int32) -> Int64 { partitions[number]?.end ?? 0 }

    /// From a batch's first offset, as much as fits: the last batch may be cut, as Kafka's fetches allow.
    func records(from offset: Int64, of number: Int32, bytesMax: Int) -> ByteBuffer {
        guard let partition = partitions[number], let start = partition.positions[offset] else { return ByteBuffer() }
        let length = min(partition.bytes.writerIndex - start, bytesMax)
        return partition.bytes.getSlice(at: start, length: length) ?? ByteBuffer()
    }
}
