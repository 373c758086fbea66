import CMartlet
import NIOCore

extension RecordBatchHeader {
    /// The first Produce version whose batches may use zstd (KIP-110).
    private static let zstdSince: Int16 = 7

    /// The header of the one batch that a Produce request holds for a partition, or the reason to refuse it.
    ///
    /// Everything is checked that can be told without looking at single records; reads every byte once, for the CRC.
    ///
    /// - Parameters:
    ///   - records: what the request holds.
    ///   - maximumBytes: the topic's `max.message.bytes`.
    ///   - produceVersion: the version of the request.
    public init(
        validating records: ByteBuffer?, maximumBytes: Int, produceVersion: Int16
    ) throws(RecordBatchError) {
        guard let records, records.readableBytes > 0 else { throw .missing }
        // Older formats have their magic at the same place, but shorter headers.
        if let magic = records.getInteger(at: records.readerIndex + Self.magicAt, as: Int8.self),
            magic != Self.currentMagic
        {
            throw .unsupportedMagic(magic)
        }
        guard let header = RecordBatchHeader(records) else { throw .invalidLength }
        try header.checkLength(available: records.readableBytes, maximumBytes: maximumBytes)
        guard Self.checksum(of: records) == header.crc else { throw .checksumMismatch }
        try header.checkFields(produceVersion: produceVersion)
        self = header
    }

    private func checkLength(available: Int, maximumBytes: Int) throws(RecordBatchError) {
        guard available <= maximumBytes else { throw .tooLarge }
        guard totalByteCount >= Self.byteCount, totalByteCount <= available else { throw .invalidLength }
        guard totalByteCount == available else { throw .severalBatches }
    }

    private func checkFields(produceVersion: Int16) throws(RecordBatchError) {
        guard let codec = attributes.codec, codec != .zstd || produceVersion >= Self.zstdSince else {
            throw .unsupportedCodec
        }
        guard !attributes.isControl else { throw .controlBatch }
        guard recordCount > 0, lastOffsetDelta == recordCount - 1 else { throw .inconsistentCount }
        guard !hasProducerID || (baseSequence >= 0 && producerEpoch >= 0) else { throw .missingSequence }
        guard attributes.timestampType == .createTime else { throw .appendTime }
    }

    /// The CRC-32C of all the bytes of this header's batch, which is known to have the header's CRC.
    public func checksum(ofAll batch: ByteBuffer) -> UInt32 {
        batch.withUnsafeReadableBytes { bytes in
            let front = martlet_crc32c(0, bytes.baseAddress, Self.checkedFrom)
            return martlet_crc32c_combine(front, crc, bytes.count - Self.checkedFrom)
        }
    }

    /// The CRC-32C of a whole batch's bytes from the attributes on; of fewer bytes than a header has, 0.
    public static func checksum(of batch: ByteBuffer) -> UInt32 {
        batch.withUnsafeReadableBytes { bytes in
            guard bytes.count > checkedFrom, let base = bytes.baseAddress else { return 0 }
            return martlet_crc32c(0, base + checkedFrom, bytes.count - checkedFrom)
        }
    }
}
