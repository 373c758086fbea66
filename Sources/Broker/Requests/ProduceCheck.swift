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
        let header: RecordBatchHeader
        do {
            header = try RecordBatchHeader(
                validating: records, maximumBytes: config.batchBytesMax, produceVersion: version)
        } catch {
            throw ProduceRefusal(code: error.errorCode, message: "\(error)")
        }
        guard let records else { preconditionFailure("a header was read from it") }
        if header.attributes.isTransactional {
            throw ProduceRefusal(code: .invalidTxnState, message: "transactions are not offered by this broker")
        }
        guard config.usesLogAppendTime else {
            try checkTimestamp(header.maxTimestamp)
            return Batch(header: header, bytes: records)
        }
        do {
            var dated = try RecordBatch(records)
            dated.setAppendTime(now)
            return Batch(header: dated.header, bytes: dated.bytes)
        } catch {
            throw ProduceRefusal(code: error.errorCode, message: "\(error)")
        }
    }

    private func checkTimestamp(_ timestamp: Milliseconds) throws(ProduceRefusal) {
        let ahead = timestamp.subtractingReportingOverflow(now)
        guard ahead.overflow || ahead.partialValue > config.timestampAfterMax
            || ahead.partialValue < -config.timestampBeforeMax
        else { return }
        throw ProduceRefusal(
            code: .invalidTimestamp,
            message: "timestamp \(timestamp) lies too far from the broker's clock \(now); check the producer's clock")
    }
}
