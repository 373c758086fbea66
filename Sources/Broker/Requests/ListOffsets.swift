import Basics
import KafkaWire
import Logging
import NIOCore
import SegmentLog

/// ListOffsets (KIP-79): offsets at the ends of a partition, and by time.
extension Broker {
    func listOffsets(_ request: ListOffsetsRequest, _ context: RequestContext) {
        let wanted = request.topics.flatMap { topic in topic.partitions.map { (topic.name, $0) } }
        let gathering = Gathering<ListOffsetsResponse.Partition>(count: wanted.count) { partitions in
            context.respond(ListOffsetsResponse { response in
                var rest = partitions[...]
                response.topics = request.topics.map { topic in
                    let own = rest.prefix(topic.partitions.count)
                    rest = rest.dropFirst(topic.partitions.count)
                    return ListOffsetsResponse.Topic {
                        $0.name = topic.name
                        $0.partitions = Array(own)
                    }
                }
            })
        }
        for (position, (name, partition)) in wanted.enumerated() {
            findOffset(name, partition, version: context.version) { gathering.set(position, $0) }
        }
    }

    private func findOffset(
        _ name: String, _ partition: ListOffsetsRequest.Partition, version: Int16,
        completion: @escaping (ListOffsetsResponse.Partition) -> Void
    ) {
        var answer = ListOffsetsResponse.Partition { $0.partitionIndex = partition.partitionIndex }
        func refuse(_ code: ErrorCode) {
            answer.errorCode = code
            completion(answer)
        }
        let known = metadata.topic(named: name)
        guard let topic = known, partition.partitionIndex >= 0, partition.partitionIndex < topic.partitionCount
        else { return refuse(reasonForNoPartition(of: known)) }
        let key = PartitionKey(topic.number, partition.partitionIndex)
        let shard = shard(of: key)
        if let error = shard.reasonNotToServe(clientEpoch: partition.currentLeaderEpoch) { return refuse(error) }
        let state = shard.state(of: key)
        typealias Special = ListOffsetsRequest.Timestamp
        switch partition.timestamp {
        case Special.latest:
            answer.offset = (state?.nextOffset ?? .zero).rawValue
            answer.leaderEpoch = shard.leaderEpoch
            completion(answer)
        case Special.earliest, Special.earliestLocal:
            let start = state?.logStart ?? .zero
            answer.offset = start.rawValue
            answer.leaderEpoch = state?.epoch(at: start) ?? -1
            completion(answer)
        case Special.latestTiered:
            completion(answer)
        case Special.maximum:
            guard let state, let run = state.index.positionOfMaxTimestamp() else { return completion(answer) }
            let greatest = state.index.runs[run].maxTimestamp
            findRecord(at: greatest, inRun: run, of: state, key, shard, answer, completion)
        case 0...:
            guard let state, let run = state.index.position(ofTimestamp: partition.timestamp) else {
                return completion(answer)
            }
            findRecord(at: partition.timestamp, inRun: run, of: state, key, shard, answer, completion)
        default:
            refuse(.unsupportedVersion)
        }
    }

    /// The first record of the run whose timestamp is not before the one asked for.
    private func findRecord(
        at timestamp: Milliseconds, inRun position: Int, of state: PartitionState, _ key: PartitionKey, _ shard: Shard,
        _ answer: ListOffsetsResponse.Partition, _ completion: @escaping (ListOffsetsResponse.Partition) -> Void
    ) {
        var answer = answer
        func fail(_ error: any Error) {
            logger.error("a block in the log cannot be read", metadata: ["partition": "\(key)", "error": "\(error)"])
            answer.errorCode = .kafkaStorageError
            completion(answer)
        }
        do {
            let reader = BatchReader(shard: shard, state: state, key: key)
            let walk = try reader.walk(state.index.runs[position]) { batch in
                guard batch.command.maxTimestamp >= timestamp else { return true }
                let found = Self.firstRecord(notBefore: timestamp, in: batch)
                answer.offset = found.offset.rawValue
                answer.timestamp = found.timestamp
                answer.leaderEpoch = batch.leaderEpoch
                return false
            }
            guard case .needsBlock(let index) = walk else { return completion(answer) }
            shard.load(index) { [weak self] result in
                if case .failure(let error) = result { return fail(error) }
                self?.findRecord(at: timestamp, inRun: position, of: state, key, shard, answer, completion)
            }
        } catch {
            fail(error)
        }
    }

    /// Largest batch that is decompressed to look at its timestamps.
    private static var decompressedBytesMax: Int { 16.mebibytes }

    private static func firstRecord(
        notBefore timestamp: Milliseconds, in batch: BatchReader.Located
    ) -> (offset: Offset, timestamp: Milliseconds) {
        if var reader = try? RecordBatchReader(RecordBatch(batch.bytes), limit: decompressedBytesMax) {
            while let record = try? reader.next() {
                guard record.timestamp >= timestamp else { continue }
                // The batch's own base offset is the producer's, and may be any number; the delta is kept in the batch.
                let delta = record.offset &- reader.header.baseOffset
                let last = Int64(batch.command.recordCount) - 1
                return (batch.baseOffset + Int(min(max(delta, 0), last)), record.timestamp)
            }
        }
        // Its producer's codec cannot be read or the header promised more than the records hold: the batch as a whole
        // is the best answer, and an early one, so that nothing is skipped.
        return (batch.baseOffset, batch.command.maxTimestamp)
    }
}
