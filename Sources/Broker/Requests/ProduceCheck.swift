import Basics
import KafkaWire
import NIOCore

/// Why a batch was not taken: the code for programs, the message for people.
struct ProduceRefusal: Error, Hashable {
    let code: ErrorCode
    let message: String?
}

/// What a batch must satisfy before it is proposed. Looks at the batch's header and its checksum, never at its
/// records: nothing on the path of a message is done for each record.
struct ProduceCheck {
    struct Batch {
        let header: RecordBatchHeader
        /// The bytes to store: the producer's own, unless the topic's records are dated by the broker.
        let bytes: ByteBuffer
    }

    let version: Int16
    let config: TopicConfig
    /// The broker's wall clock.
    let now: Milliseconds

    func check(_ records: ByteBuffer?) throws(ProduceRefusal) -> Batch {
        guard let records, records.readableBytes > 0 else {
            throw ProduceRefusal(code: .invalidRecord, message: "a partition came without a record batch")
        }
        let header: RecordBatchHeader
        do {
            header = try RecordBatchHeader(validating: records, maximumBytes: config.batchBytesMax)
        } catch {
            throw ProduceRefusal(code: error.errorCode, message: "\(error)")
        }
        if header.attributes.codec == .zstd, version < 7 {
            throw ProduceRefusal(
                code: .unsupportedCompressionType, message: "zstd needs version 7 of Produce; this request has \(version)")
        }
        if header.attributes.isTransactional {
            throw ProduceRefusal(code: .invalidTxnState, message: "transactions are not offered by this broker")
        }
        guard config.usesLogAppendTime else {
            try checkTimestamp(header.maxTimestamp)
            return Batch(header: header, bytes: records)
        }
        var stamped = records
        RecordBatchHeader.setLogAppendTime(now, in: &stamped)
        var dated = header
        dated.maxTimestamp = now
        return Batch(header: dated, bytes: stamped)
    }

    private func checkTimestamp(_ timestamp: Milliseconds) throws(ProduceRefusal) {
        let ahead = timestamp.subtractingReportingOverflow(now)
        guard ahead.overflow || ahead.partialValue > config.timestampAfterMax
            || -ahead.partialValue > config.timestampBeforeMax
        else { return }
        throw ProduceRefusal(
            code: .invalidTimestamp,
            message: "timestamp \(timestamp) lies too far from the broker's clock \(now); check the producer's clock")
    }
}
