import KafkaWire
import NIOCore

/// The producer id and epoch under which batches are numbered (KIP-98).
struct ProducerIdentity: Hashable, Sendable {
    var id: Int64
    var epoch: Int16
}

/// A batch that left the accumulator.
struct ProducerBatch: Sendable {
    let delivery: BatchDelivery
    /// Its place among the batches of its partition, in the order their records came.
    let order: UInt64
    /// What it holds of the producer's buffer.
    let reservedBytes: Int
    /// When it has failed if it is not delivered.
    let deadline: NIODeadline
    let recordCount: Int32
    private(set) var bytes: ByteBuffer
    /// Whether it has a sequence number.
    private(set) var isNumbered = false
    /// Whether an attempt ended without telling if the broker has it.
    var mayBeStored = false

    init(
        _ batch: RecordBatch, delivery: BatchDelivery, order: UInt64, reservedBytes: Int, deadline: NIODeadline
    ) {
        self.delivery = delivery
        self.order = order
        self.reservedBytes = reservedBytes
        self.deadline = deadline
        recordCount = batch.header.recordCount
        bytes = batch.bytes
    }

    // Fields of the batch header, see `RecordBatchHeader`.
    private static let crcAt = 17
    private static let producerIDAt = 43
    private static let producerEpochAt = 51
    private static let baseSequenceAt = 53

    /// Writes a producer's identity and a sequence number into the header, and the CRC that goes with them.
    mutating func number(_ identity: ProducerIdentity, sequence: Int32) {
        let start = bytes.readerIndex
        bytes.setInteger(identity.id, at: start + Self.producerIDAt)
        bytes.setInteger(identity.epoch, at: start + Self.producerEpochAt)
        bytes.setInteger(sequence, at: start + Self.baseSequenceAt)
        bytes.setInteger(RecordBatchHeader.checksum(of: bytes), at: start + Self.crcAt)
        isNumbered = true
    }

    /// The next sending gives it another number.
    mutating func forgetNumber() { isNumbered = false }
}
