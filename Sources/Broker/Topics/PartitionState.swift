import Basics
import KafkaWire

/// One partition as the committed log makes it: offsets, epochs, producers and where its batches stand. No payload.
///
/// Owner: the `TopicsFSM` of its shard. A class, so that the dictionary of partitions is never copied for a change.
final class PartitionState {
    /// Producers silent for longer than this are forgotten (Kafka's `producer.id.expiration.ms`).
    static let producerExpiration: Milliseconds = 86_400_000
    /// Producers remembered before the oldest are forgotten early: bounds the memory of a partition.
    static let producersMax = 10_000

    struct EpochStart: Hashable, Sendable {
        var epoch: Int32
        var startOffset: Offset
    }

    private(set) var logStart: Offset = .zero
    /// The offset that the next record will get. All before it is committed: this is also the high watermark.
    private(set) var nextOffset: Offset = .zero
    private(set) var epochStarts: [EpochStart] = []
    private(set) var index = OffsetIndex()
    /// Bytes of the batches from the log start on, as their producers sent them. After records were deleted an
    /// estimate, which takes all records for equally large.
    private(set) var bytes = 0
    private(set) var producers: [Int64: ProducerState] = [:]

    /// Applies a batch: assigns its offsets or says why not.
    ///
    /// - Parameters:
    ///   - position: the bytes of all entries of the shard before this one.
    ///   - bytes: those of the batch.
    func apply(
        _ command: ProduceCommand, at index: LogIndex, position: Int, bytes: Int, term: Term
    ) -> CommandResult {
        if command.producerID >= 0 {
            switch verdict(on: command) {
            case .append: break
            case .duplicate(let baseOffset):
                self.index.closeRun()
                return .appended(baseOffset: baseOffset, logStart: logStart)
            case .forgottenDuplicate:
                self.index.closeRun()
                return .refused(.duplicateSequenceNumber)
            case .staleEpoch:
                self.index.closeRun()
                return .refused(.invalidProducerEpoch)
            case .outOfOrder:
                self.index.closeRun()
                return .refused(.outOfOrderSequenceNumber)
            }
        }
        let baseOffset = nextOffset
        nextOffset = nextOffset + Int(command.recordCount)
        let epoch = Int32(truncatingIfNeeded: term.rawValue)
        if epochStarts.last?.epoch != epoch { epochStarts.append(EpochStart(epoch: epoch, startOffset: baseOffset)) }
        self.index.append(offset: baseOffset, index: index, position: position, timestamp: command.maxTimestamp)
        self.bytes += bytes
        if command.producerID >= 0 { remember(command, baseOffset) }
        return .appended(baseOffset: baseOffset, logStart: logStart)
    }

    /// Moves what is known of the segment that was sealed to its table.
    func seal(into table: inout OffsetTable, key: PartitionKey) {
        index.seal(into: &table, key: key, endOffset: nextOffset)
    }

    /// Moves the beginning up to `offset`. What producers sent stays known: a batch repeated late is still a duplicate.
    func deleteRecords(before offset: Offset) -> CommandResult {
        guard offset <= nextOffset else { return .refused(.offsetOutOfRange) }
        guard offset > logStart else { return .logStart(logStart) }
        bytes = Self.share(of: bytes, remaining: nextOffset - offset, total: nextOffset - logStart)
        logStart = offset
        if let first = epochStarts.lastIndex(where: { $0.startOffset <= offset }) {
            epochStarts.removeFirst(first)
            epochStarts[0].startOffset = offset
        }
        return .logStart(offset)
    }

    private static func share(of bytes: Int, remaining: Int, total: Int) -> Int {
        let product = UInt64(bytes).multipliedFullWidth(by: UInt64(remaining))
        return Int(UInt64(total).dividingFullWidth(product).quotient)
    }

    /// A producer that nobody remembers begins at sequence 0. Taking any other batch for its first would let a later
    /// batch overtake an earlier one that was lost on its way to the leader before this one, and then refuse the
    /// earlier one for ever.
    private func verdict(on command: ProduceCommand) -> ProducerState.Verdict {
        guard let known = producers[command.producerID] else {
            return command.baseSequence == 0 ? .append : .outOfOrder
        }
        return known.verdict(
            epoch: command.producerEpoch, sequence: command.baseSequence, count: command.recordCount)
    }

    private func remember(_ command: ProduceCommand, _ baseOffset: Offset) {
        if producers[command.producerID] == nil {
            if producers.count >= Self.producersMax { forgetOldProducers(now: command.proposedAt) }
            producers[command.producerID] = ProducerState(epoch: command.producerEpoch, lastSeen: command.proposedAt)
        }
        producers[command.producerID]?.record(
            epoch: command.producerEpoch, sequence: command.baseSequence, count: command.recordCount,
            baseOffset: baseOffset, at: command.proposedAt)
    }

    /// Forgets the expired, or else the older half. Depends on the log alone, so every replica forgets the same.
    private func forgetOldProducers(now: Milliseconds) {
        producers = producers.filter { now - $0.value.lastSeen < Self.producerExpiration }
        guard producers.count >= Self.producersMax else { return }
        let byAge = producers.sorted { ($0.value.lastSeen, $0.key) < ($1.value.lastSeen, $1.key) }
        for (id, _) in byAge.prefix(byAge.count / 2) { producers[id] = nil }
    }

    /// The end of what was written under `epoch` or earlier (KIP-101): the newest epoch at or below the one asked for,
    /// and the offset at which the next epoch begins. Nil if nothing was.
    func endOffset(ofEpoch epoch: Int32) -> (epoch: Int32, endOffset: Offset)? {
        guard let position = epochStarts.lastIndex(where: { $0.epoch <= epoch }) else { return nil }
        let end = position + 1 < epochStarts.count ? epochStarts[position + 1].startOffset : nextOffset
        return (epochStarts[position].epoch, end)
    }

    /// The leader epoch under which the record at `offset` was written.
    func epoch(at offset: Offset) -> Int32 {
        epochStarts.last { $0.startOffset <= offset }?.epoch ?? -1
    }
}
