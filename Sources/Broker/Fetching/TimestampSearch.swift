import Basics
import KafkaWire
import NIOCore
import SegmentLog

/// Finds the first record of a partition that is not older than a time (KIP-79), or the newest of all (KIP-734).
///
/// Owner: whoever waits for its completion, on the event loop. It pauses while something comes from disk.
final class TimestampSearch {
    struct Found {
        let offset: Offset
        let timestamp: Milliseconds
        let leaderEpoch: Int32
    }

    typealias Completion = (Result<Found?, any Error>) -> Void

    private var reader: BatchReader
    private let completion: Completion
    private let timestamp: Milliseconds
    /// Where the search goes on; nil until it has begun.
    private var position: Offset?
    /// The largest timestamp seen by the walk that looks for it.
    private var greatest: Milliseconds?

    private init(_ reader: BatchReader, timestamp: Milliseconds, completion: @escaping Completion) {
        self.reader = reader
        self.timestamp = timestamp
        self.completion = completion
    }

    /// The first record whose timestamp is not before this one; nil if there is none.
    static func first(notBefore timestamp: Milliseconds, in reader: BatchReader, completion: @escaping Completion) {
        TimestampSearch(reader, timestamp: timestamp, completion: completion).search()
    }

    /// The first record of those with the largest timestamp; nil if there are no records.
    static func newest(in reader: BatchReader, completion: @escaping Completion) {
        let index = reader.state.index
        guard let greatest = [index.sealed.newest?.maxTimestamp, index.maxTimestamp].compactMap({ $0 }).max() else {
            return completion(.success(nil))
        }
        first(notBefore: greatest, in: reader) { result in
            // The record that had it may lie before the log start.
            guard case .success(nil) = result else { return completion(result) }
            TimestampSearch(reader, timestamp: greatest, completion: completion).measure()
        }
    }

    private var logStart: Offset { reader.state.logStart }

    // MARK: Searching

    private func search() {
        do {
            while true {
                let from: Offset
                switch begin() {
                case .found(let offset): from = offset
                case .none: return completion(.success(nil))
                case .needs(let missing): return load(missing) { self.search() }
                }
                switch reader.lookup.stretch(from: from) {
                case .none: return completion(.success(nil))
                case .needs(let missing): return load(missing) { self.search() }
                case .found(let stretch):
                    var found: Found?
                    if let missing = try search(stretch, &found) { return load(missing) { self.search() } }
                    if let found { return completion(.success(found)) }
                    position = stretch.endOffset
                }
            }
        } catch {
            completion(.failure(error))
        }
    }

    private func begin() -> OffsetLookup.Answer<Offset> {
        if let position { return .found(position) }
        let bound = reader.lookup.lowerBound(of: timestamp)
        guard case .found(let offset) = bound else { return bound }
        position = max(offset, logStart)
        return .found(max(offset, logStart))
    }

    /// Looks into the runs that may hold the record. Returns what is missing to go on.
    private func search(_ stretch: OffsetLookup.Stretch, _ found: inout Found?) throws(BlockError) -> Missing? {
        for run in stretch.runs where run.maxTimestamp >= timestamp {
            let walk = try reader.walk(run) { batch in
                guard batch.endOffset > logStart, batch.command.maxTimestamp >= timestamp else { return true }
                found = record(in: batch)
                return found == nil
            }
            if case .needsBlock(let index) = walk { return .block(index) }
            if found != nil { return nil }
        }
        return nil
    }

    /// Largest batch that is decompressed to look at its timestamps.
    private static var decompressedBytesMax: Int { 16.mebibytes }

    private func record(in batch: BatchReader.Located) -> Found? {
        guard var records = try? RecordBatchReader(RecordBatch(batch.bytes), limit: Self.decompressedBytesMax) else {
            return start(of: batch)
        }
        do {
            while let record = try records.next() {
                guard record.timestamp >= timestamp else { continue }
                // The batch's own base offset is the producer's, and may be any number; the delta is kept in the batch.
                let delta = record.offset &- records.header.baseOffset
                let last = Int64(batch.command.recordCount) - 1
                let offset = batch.baseOffset + Int(min(max(delta, 0), last))
                guard offset >= logStart else { continue }
                return Found(offset: offset, timestamp: record.timestamp, leaderEpoch: batch.leaderEpoch)
            }
        } catch {
            return start(of: batch)
        }
        // All that are new enough lie before the log start, or the header promised more than the records hold.
        return batch.baseOffset >= logStart ? start(of: batch) : nil
    }

    /// What is said of a batch whose records cannot be read: an early offset, so that nothing is skipped.
    private func start(of batch: BatchReader.Located) -> Found {
        Found(
            offset: max(batch.baseOffset, logStart), timestamp: batch.command.maxTimestamp,
            leaderEpoch: batch.leaderEpoch)
    }

    // MARK: Measuring

    /// Walks over everything from the log start on for the largest timestamp, then searches for that.
    private func measure() {
        do {
            while true {
                let from = position ?? logStart
                switch reader.lookup.stretch(from: from) {
                case .needs(let missing): return load(missing) { self.measure() }
                case .none:
                    guard let greatest else { return completion(.success(nil)) }
                    return Self.first(notBefore: greatest, in: reader, completion: completion)
                case .found(let stretch):
                    if let missing = try measure(stretch) { return load(missing) { self.measure() } }
                    position = stretch.endOffset
                }
            }
        } catch {
            completion(.failure(error))
        }
    }

    /// Of a run that the log start cuts, only the batches behind it count.
    private func measure(_ stretch: OffsetLookup.Stretch) throws(BlockError) -> Missing? {
        for run in stretch.runs {
            if run.firstOffset >= logStart {
                greatest = max(greatest ?? run.maxTimestamp, run.maxTimestamp)
                continue
            }
            let walk = try reader.walk(run) { batch in
                guard batch.baseOffset >= logStart else { return true }
                greatest = max(greatest ?? batch.command.maxTimestamp, batch.command.maxTimestamp)
                return true
            }
            if case .needsBlock(let index) = walk { return .block(index) }
        }
        return nil
    }

    private func load(_ missing: Missing, _ body: @escaping () -> Void) {
        reader.shard.load(missing) { [self] result in
            if case .failure(let error) = result { return completion(.failure(error)) }
            body()
        }
    }
}
