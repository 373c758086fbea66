import Basics
import NIOCore

/// What must be on stable storage before the node speaks: the term it has seen and its vote in it (Raft paper,
/// figure 2). The log stores it and does not know what it means.
public struct HardStateRecord: Hashable, Sendable {
    public var term: UInt64
    public var vote: Int32?

    public init(term: UInt64 = 0, vote: Int32? = nil) {
        self.term = term
        self.vote = vote
    }
}

/// The content of the state file.
struct LogState: Hashable, Sendable {
    var sequence: UInt64 = 0
    var hardState = HardStateRecord()
    /// Everything up to this index has been flushed, if not beyond.
    var watermark = LogIndex.zero
    /// The oldest segment that must exist; 0 before the first reclaim.
    var firstSegment = LogIndex.zero
    /// Counts cuts of the log; a watermark hint of another count speaks of entries that may be gone on purpose.
    var truncations: UInt64 = 0
}

/// The layout of the state file, version 1: three records of 64 bytes, each at the start of a 4 KiB page.
///
/// Pages 0 and 1 are written in turn and flushed each time, so that a torn write leaves the older one. Page 2 is the
/// *watermark hint*: written after every group commit and never flushed, it costs no disk access, survives the end of
/// the process, and is ignored when a power failure tore it.
///
///     offset size
///          0    4  magic "MSTA"
///          4    4  version, 1
///          8    8  sequence number; the page is its lowest bit
///         16    8  term
///         24    4  vote: node id, -1 for none
///         28    2  shard
///         30    2  zero
///         32    8  flush watermark: index of an entry
///         40    8  base of the oldest segment, 0 when none was ever reclaimed
///         48    8  number of truncations
///         56    4  zero
///         60    4  CRC-32C of bytes 0 ..< 60
extension LogState {
    static let magic: UInt32 = 0x4154_534D
    static let version: UInt32 = 1
    static let pageBytes = 4.kibibytes
    static let fileBytes = 3 * pageBytes
    static let hintPage = 2

    func encode(shard: ShardID) -> ByteBuffer {
        FixedRecord.encode(magic: Self.magic, version: Self.version) { raw in
            raw.put(sequence, at: 8)
            raw.put(hardState.term, at: 16)
            raw.put(hardState.vote ?? -1, at: 24)
            raw.put(shard.rawValue, at: 28)
            raw.put(watermark.rawValue, at: 32)
            raw.put(firstSegment.rawValue, at: 40)
            raw.put(truncations, at: 48)
        }
    }

    static func decode(_ bytes: ByteBuffer) -> (state: LogState, shard: ShardID)? {
        FixedRecord.decode(bytes, magic: magic, version: version) { raw in
            let vote = raw.number(Int32.self, at: 24)
            // Numbers that no log reaches: they would overflow when they are counted on.
            let counters = [8, 32, 40, 48].map { raw.number(UInt64.self, at: $0) }
            guard counters.allSatisfy({ $0 < BlockLimits.indexMax }) else { return nil }
            let state = LogState(
                sequence: counters[0],
                hardState: HardStateRecord(term: raw.number(UInt64.self, at: 16), vote: vote < 0 ? nil : vote),
                watermark: LogIndex(counters[1]),
                firstSegment: LogIndex(counters[2]),
                truncations: counters[3])
            return (state, ShardID(raw.number(UInt16.self, at: 28)))
        }
    }

    /// What a state file says, both of its pages considered.
    struct Loaded: Hashable, Sendable {
        /// nil when neither page is whole.
        var state: LogState?
        /// One page is neither whole nor blank: a write was torn, or the page rotted.
        var hasDamagedPage = false
    }

    static func load(_ file: any StorageFile, shard: ShardID) throws(StorageError) -> Loaded {
        var loaded = Loaded()
        for page in 0 ..< 2 {
            let bytes = try file.read(at: page * pageBytes, length: FixedRecord.size)
            guard let record = decode(bytes) else {
                let isBlank = bytes.withUnsafeReadableBytes { $0.isZero(0 ..< $0.count) }
                loaded.hasDamagedPage = loaded.hasDamagedPage || !isBlank
                continue
            }
            guard record.shard == shard else { throw .wrongShard(expected: shard, found: record.shard) }
            if record.state.sequence >= loaded.state?.sequence ?? 0 { loaded.state = record.state }
        }
        let hint = decode(try file.read(at: hintPage * pageBytes, length: FixedRecord.size))
        if let hint, var state = loaded.state, hint.shard == shard, hint.state.truncations == state.truncations {
            state.watermark = max(state.watermark, hint.state.watermark)
            loaded.state = state
        }
        return loaded
    }
}

/// The open state file. Owned by the log's writer.
final class StateFile {
    private let file: any StorageFile
    private let shard: ShardID
    private(set) var current: LogState

    init(file: any StorageFile, shard: ShardID, current: LogState) {
        self.file = file
        self.shard = shard
        self.current = current
    }

    /// Makes a new state durable.
    func save(_ change: (inout LogState) -> Void) throws(StorageError) {
        change(&current)
        current.sequence += 1
        let page = Int(current.sequence % 2)
        try file.write([current.encode(shard: shard)], at: page * LogState.pageBytes)
        try file.flush()
    }

    /// Leaves word, without a flush, that everything up to `watermark` has been flushed.
    func hint(_ watermark: LogIndex) throws(StorageError) {
        current.watermark = max(current.watermark, watermark)
        try file.write([current.encode(shard: shard)], at: LogState.hintPage * LogState.pageBytes)
    }
}
