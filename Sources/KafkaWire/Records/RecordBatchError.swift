/// Why a record batch is refused.
public enum RecordBatchError: Error, Hashable, Sendable {
    /// Null or no bytes where a batch must be.
    case missing
    /// A record format other than 2.
    case unsupportedMagic(Int8)
    /// Fewer bytes than a header has, or a batch length that does not fit the bytes that are there.
    case invalidLength
    /// More than one batch for a partition.
    case severalBatches
    /// More bytes than the topic allows.
    case tooLarge
    /// The CRC does not match: the batch was damaged on its way.
    case checksumMismatch
    /// A codec nobody has defined, or zstd from a request older than version 7 (KIP-110).
    case unsupportedCodec
    /// Control batches are for brokers to write.
    case controlBatch
    /// No records, or not as many as the offsets say.
    case inconsistentCount
    /// A producer id without a sequence number.
    case missingSequence
    /// The producer claims that the broker has set the timestamps.
    case appendTime
    /// The bytes of the records are not what the header promises.
    case malformedRecord
    /// The records could not be decompressed.
    case compression(CompressionError)

    /// What a Produce response says of it.
    public var errorCode: ErrorCode {
        switch self {
        case .missing, .unsupportedMagic, .severalBatches, .controlBatch, .inconsistentCount, .missingSequence,
            .malformedRecord:
            .invalidRecord
        case .invalidLength, .checksumMismatch: .corruptMessage
        // Clients answer MESSAGE_TOO_LARGE by splitting the batch, which helps against both bounds.
        case .tooLarge, .compression(.tooLarge): .messageTooLarge
        case .unsupportedCodec: .unsupportedCompressionType
        case .appendTime: .invalidTimestamp
        case .compression(.corrupt): .invalidRecord
        case .compression(.failed): .unknownServerError
        }
    }
}
