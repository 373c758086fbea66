import KafkaWire
import NIOCore
import Synchronization

/// Produce requests of version 8, the last one without compact lengths: everything but the correlation id and the
/// partition is encoded before the measurement.
///
/// Owned by its connection's event loop.
final class ProduceSource: LoadSource {
    static let version: Int16 = 8
    private static let correlationIDAt = 8
    /// Batches up to this size are copied behind their head: that costs less than one more part to write.
    private static let copiedBytesMax = 4_096

    private let frames: [ProduceFrame]
    private let partitions: [Int32]
    private let acks: Int16
    private let budget: RecordBudget
    /// Where a response has the error code: after correlation id, topic count and name, partition count and index.
    private let errorAt: Int
    private var nextFrame: Int
    private var nextPartition = 0
    private var request = ByteBuffer()

    /// - Parameters:
    ///   - frames: shared by all connections.
    ///   - start: which of them to begin with, so that connections do not send the same ones at the same time.
    init(frames: [ProduceFrame], partitions: [Int32], topic: String, acks: Int16, start: Int, budget: RecordBudget) {
        self.frames = frames
        self.partitions = partitions
        self.acks = acks
        self.budget = budget
        errorAt = 4 + 4 + 2 + topic.utf8.count + 4 + 4
        nextFrame = start % frames.count
    }

    func next(correlationID: Int32) -> LoadRequest? {
        let frame = frames[nextFrame]
        guard budget.take(frame.records) else { return nil }
        nextFrame = (nextFrame + 1) % frames.count
        let partition = partitions[nextPartition]
        nextPartition = (nextPartition + 1) % partitions.count
        // The socket mostly has taken the request before, and the memory serves again.
        request.clear()
        request.writeImmutableBuffer(frame.head)
        request.setInteger(correlationID, at: Self.correlationIDAt)
        request.setInteger(partition, at: frame.partitionAt)
        let isSmall = frame.batch.readableBytes <= Self.copiedBytesMax
        if isSmall { request.writeImmutableBuffer(frame.batch) }
        let counts = LoadCounts(
            requests: 1, records: frame.records, wireBytes: frame.batch.readableBytes, payloadBytes: frame.payloadBytes)
        return LoadRequest(head: request, batch: isSmall ? nil : frame.batch, isAnswered: acks != 0, counts: counts)
    }

    func receive(_ response: ByteBuffer) throws -> LoadCounts {
        guard let code = response.getInteger(at: response.readerIndex + errorAt, as: Int16.self) else {
            throw CommandFailure("a Produce response is too short")
        }
        guard code == 0 else {
            throw CommandFailure("a batch was refused: \(ErrorCode(rawValue: code).name)")
        }
        return LoadCounts()
    }
}

/// A Produce request for one batch, cut where the batch begins.
struct ProduceFrame: Sendable {
    let head: ByteBuffer
    let batch: ByteBuffer
    /// Where the partition's number stands in the head.
    let partitionAt: Int
    let records: Int
    let payloadBytes: Int

    init(_ batch: BatchPool.Batch, topic: String, acks: Int16) throws {
        let request = ProduceRequest {
            $0.acks = acks
            $0.timeoutMs = 30_000
            $0.topics = [
                .init {
                    $0.name = topic
                    $0.partitions = [.init { $0.records = batch.bytes }]
                }
            ]
        }
        var frame = try WireFrame(
            request, version: ProduceSource.version, correlationID: 0, clientID: "martlet-bench"
        ).contiguous
        // Nothing follows the batch; before it come its length and the partition's number, four bytes each.
        head = frame.readSlice(length: frame.readableBytes - batch.bytes.readableBytes) ?? ByteBuffer()
        partitionAt = head.writerIndex - 8
        self.batch = batch.bytes
        records = batch.records
        payloadBytes = batch.payloadBytes
    }
}

/// How many records all connections together may still send.
final class RecordBudget: Sendable {
    private let left: Atomic<Int>

    /// - Parameter records: nil for as many as the time allows.
    init(_ records: Int?) {
        left = Atomic(records ?? .max)
    }

    func take(_ records: Int) -> Bool {
        left.subtract(records, ordering: .relaxed).oldValue > 0
    }
}
