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
    mutating func next(_ configuration: ConsumerConfiguration) throws(KafkaClientError) -> ConsumerRecord? {
        do throws(RecordBatchError) {
            while true {
                if let record = try nextOfBatch() { return ConsumerRecord(record, from: partition) }
                guard try openBatch(configuration) else { return nil }
            }
        } catch {
            throw damaged(error)
        }
    }

    /// The rest of the present batch, or else the next one that has wanted records; nil when there are no more.
    mutating func nextBatch(_ configuration: ConsumerConfiguration) throws(KafkaClientError) -> [ConsumerRecord]? {
        do throws(RecordBatchError) {
            while true {
                var records: [ConsumerRecord] = []
                while let record = try nextOfBatch() { records.append(ConsumerRecord(record, from: partition)) }
                if !records.isEmpty { return records }
                guard try openBatch(configuration) else { return nil }
            }
        } catch {
            throw damaged(error)
        }
    }

    private mutating func nextOfBatch() throws(RecordBatchError) -> Record? {
        while let record = try reader?.next() {
            if record.offset >= first && record.offset < stop { return record }
        }
        return nil
    }

    private mutating func openBatch(_ configuration: ConsumerConfiguration) throws(RecordBatchError) -> Bool {
        reader = nil
        while let batch = try batches.next() {
            // Marks of transactions, which are no records.
            if batch.header.attributes.isControl { continue }
            guard !configuration.checksBatches || batch.isIntact else { throw .checksumMismatch }
            reader = try RecordBatchReader(batch, limit: configuration.batchBytesMaximum)
            return true
        }
        return false
    }

    private func damaged(_ error: RecordBatchError) -> KafkaClientError {
        KafkaClientError(.invalidResponse, "the records fetched from \(partition) are damaged: \(error)")
    }

    /// The offset after the last whole batch; nil if there is none. Any number, if the broker sends one.
    static func nextOffset(after bytes: ByteBuffer) throws(RecordBatchError) -> Int64? {
        var batches = RecordBatches(bytes)
        var next: Int64?
        while let batch = try batches.next() { next = batch.header.lastOffset &+ 1 }
        return next
    }
}
