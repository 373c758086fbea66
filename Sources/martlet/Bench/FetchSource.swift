import KafkaWire
import NIOCore

/// Fetch requests of version 11 for some partitions of one leader, from their beginnings to their ends.
///
/// Owned by its connection's event loop. One request is under way at a time, as the next one's offsets depend on it.
final class FetchSource: LoadSource {
    static let version: Int16 = 11

    struct Position: Sendable {
        var next: Int64
        let beginning: Int64
        let end: Int64
    }

    private let topic: String
    private let fetchBytes: Int32
    /// Whether to begin anew at the end.
    private let repeats: Bool
    private let verifies: Bool
    private var positions: [Int32: Position]
    private var isWaiting = false

    init(
        topic: String, positions: [Int32: Position], fetchBytes: Int32, repeats: Bool, verifies: Bool
    ) {
        self.topic = topic
        self.positions = positions.filter { $0.value.beginning < $0.value.end }
        self.fetchBytes = fetchBytes
        self.repeats = repeats
        self.verifies = verifies
    }

    func next(correlationID: Int32) -> LoadRequest? {
        guard !isWaiting, !positions.isEmpty else { return nil }
        var wanted = positions.filter { $0.value.next < $0.value.end }
        if wanted.isEmpty {
            guard repeats else { return nil }
            positions = positions.mapValues { Position(next: $0.beginning, beginning: $0.beginning, end: $0.end) }
            wanted = positions
        }
        let request = FetchRequest {
            $0.maxWaitMs = 500
            $0.minBytes = 1
            $0.maxBytes = fetchBytes
            $0.topics = [
                .init {
                    $0.name = topic
                    $0.partitions = wanted.map { index, position in
                        .init {
                            $0.partition = index
                            $0.fetchOffset = position.next
                            $0.partitionMaxBytes = fetchBytes
                        }
                    }
                }
            ]
        }
        guard
            let frame = try? WireFrame(
                request, version: Self.version, correlationID: correlationID, clientID: "martlet-bench")
        else { return nil }
        isWaiting = true
        return LoadRequest(head: frame.contiguous, counts: LoadCounts(requests: 1))
    }

    func receive(_ response: ByteBuffer) throws -> LoadCounts {
        isWaiting = false
        var counts = LoadCounts()
        for partition in try FetchSource.partitions(of: response) {
            guard partition.errorCode == .none else {
                throw CommandFailure("fetch from \(topic)-\(partition.partitionIndex): \(partition.errorCode.name)")
            }
            var batches = RecordBatches(partition.records.contiguous)
            while let batch = try batches.next() {
                if verifies && !batch.isIntact {
                    throw CommandFailure("a batch at offset \(batch.header.baseOffset) is damaged")
                }
                counts.records += Int(batch.header.recordCount)
                counts.wireBytes += batch.bytes.readableBytes
                positions[partition.partitionIndex]?.next = batch.header.lastOffset &+ 1
            }
        }
        return counts
    }

    static func partitions(of response: ByteBuffer) throws -> [FetchResponse.Partition] {
        var body = response
        _ = try ResponseHeader(from: &body, answering: FetchRequest.self, version: version)
        let response = try FetchResponse(decoding: body, version: version)
        guard response.errorCode == .none else { throw CommandFailure("fetch: \(response.errorCode.name)") }
        return response.topics.flatMap(\.partitions)
    }
}
