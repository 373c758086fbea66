import KafkaWire
import NIOCore

/// What one response held for one partition, and the records of it one by one.
///
/// Owned by an iterator. Holds the response's bytes and one decompressed batch.
struct FetchedRecords: Sendable {
    let partition: TopicPartition
    let byteCount: Int
    /// A response may begin before what was asked for: batches are sent whole.
    private let first: Int64
    /// Records from here on are not wanted.
    private let stop: Int64
    private var batches: RecordBatches
    private var reader: RecordBatchReader?

    init(_ bytes: ByteBuffer, of partition: TopicPartition, from first: Int64, to stop: Int64) {
        self.partition = partition
        self.first = first
        self.stop = stop
        byteCount = bytes.readableBytes
        batches = RecordBatches(bytes)
    }

    /// The next record; nil when there are no more.
    mutating func next(_ configuration: ConsumerConfiguration) throws(KafkaClientError) -> Record? {
        do throws(RecordBatchError) {
            while true {
                while let record = try reader?.next() {
                    if record.offset >= stop { return nil }
                    if record.offset >= first { return record }
                }
                guard let batch = try batches.next() else { return nil }
                guard !batch.header.attributes.isControl else {
                    reader = nil
                    continue
                }
                guard !configuration.checksBatches || batch.isIntact else { throw .checksumMismatch }
                reader = try RecordBatchReader(batch, limit: configuration.batchBytesMaximum)
            }
        } catch {
            throw KafkaClientError(.invalidResponse, "the records fetched from \(partition) are damaged: \(error)")
        }
    }

    /// The offset after the last whole batch; nil if there is none.
    static func nextOffset(after bytes: ByteBuffer) throws(RecordBatchError) -> Int64? {
        var batches = RecordBatches(bytes)
        var next: Int64?
        while let batch = try batches.next() { next = batch.header.lastOffset + 1 }
        return next
    }
}
