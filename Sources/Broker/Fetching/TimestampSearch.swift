import Basics
import KafkaWire
import SegmentLog

/// Finds the record that a time stands for among those that a partition still has.
///
/// Owner: one ListOffsets request, on the event loop; the read of a block from disk holds it meanwhile. Walks at most
/// two runs of the partition's index.
final class TimestampSearch {
    enum Wanted {
        /// The first record that is not older.
        case first(notBefore: Milliseconds)
        /// The record with the largest timestamp; of several, the first one.
        case newest
    }

    struct Found {
        var offset: Offset
        var timestamp: Milliseconds
        var leaderEpoch: Int32
    }

    /// Largest batch that is decompressed to look at its timestamps.
    private static var decompressedBytesMax: Int { 16.mebibytes }

    private let wanted: Wanted
    private let reader: BatchReader
    private var runs: [OffsetIndex.Run]
    private var best: (batch: BatchReader.Located, timestamp: Milliseconds)?

    init(_ wanted: Wanted, _ reader: BatchReader) {
        self.wanted = wanted
        self.reader = reader
        let index = reader.state.index
        func position(from first: Int) -> Int? {
            switch wanted {
            case .first(let time): index.position(ofTimestamp: time, from: first)
            case .newest: index.positionOfMaxTimestamp(from: first)
            }
        }
        // What makes the first run match may lie before the partition's beginning: the next best comes behind it.
        let first = position(from: 0)
        let second = first == 0 ? position(from: 1) : nil
        runs = [first, second].compactMap { $0 }.map { index.runs[$0] }
    }

    /// Calls back with nil when no record is so young.
    func run(_ completion: @escaping (Result<Found?, any Error>) -> Void) {
        do {
            while let run = runs.first {
                switch try reader.walk(run, visit) {
                case .finished: runs.removeFirst()
                case .stopped: runs = []
                case .needsBlock(let index): return load(index, completion)
                }
            }
            completion(.success(best.flatMap { record(of: $0.batch) }))
        } catch {
            completion(.failure(error))
        }
    }

    private func load(_ index: LogIndex, _ completion: @escaping (Result<Found?, any Error>) -> Void) {
        reader.shard.load(index) { [self] result in
            if case .failure(let error) = result { completion(.failure(error)) } else { run(completion) }
        }
    }

    /// - Returns: whether to go on.
    private func visit(_ batch: BatchReader.Located) -> Bool {
        let start = reader.state.logStart
        guard batch.endOffset > start else { return true }
        let newest = batch.baseOffset >= start ? batch.command.maxTimestamp : record(of: batch)?.timestamp
        guard let newest else { return true }
        switch wanted {
        case .first(let time):
            guard newest >= time else { return true }
            best = (batch, newest)
            return false
        case .newest:
            if newest > best?.timestamp ?? .min { best = (batch, newest) }
            return true
        }
    }

    /// The record wanted of this batch; nil when the partition begins behind it.
    private func record(of batch: BatchReader.Located) -> Found? {
        let start = max(batch.baseOffset, reader.state.logStart)
        func found(_ offset: Offset, _ timestamp: Milliseconds) -> Found {
            Found(offset: offset, timestamp: timestamp, leaderEpoch: batch.leaderEpoch)
        }
        // Its producer's codec cannot be read or the header promised more than the records hold: the batch as a whole
        // is the best answer, and an early one, so that nothing is skipped.
        let whole = found(start, batch.command.maxTimestamp)
        guard var records = try? RecordBatchReader(RecordBatch(batch.bytes), limit: Self.decompressedBytesMax) else {
            return whole
        }
        var newest: Found?
        while let record = try? records.next() {
            // The batch's own base offset is the producer's, and may be any number; the delta is kept in the batch.
            let delta = record.offset &- records.header.baseOffset
            let offset = batch.baseOffset + Int(min(max(delta, 0), Int64(batch.command.recordCount) - 1))
            guard offset >= start else { continue }
            switch wanted {
            case .first(let time):
                if record.timestamp >= time { return found(offset, record.timestamp) }
            case .newest:
                if record.timestamp > newest?.timestamp ?? .min { newest = found(offset, record.timestamp) }
            }
        }
        return newest ?? (start == batch.baseOffset ? whole : nil)
    }
}
