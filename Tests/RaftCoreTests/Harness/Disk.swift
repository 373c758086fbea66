import Basics
import RaftCore

/// A block with its content reduced to a number that tells it from every other block ever proposed.
struct StoredBlock: Hashable {
    var info: BlockInfo
    var content: UInt64
}

/// Stable storage that forgets in a crash what was not yet synced. Writes happen in order; their completion is told
/// apart from their happening, because the news of a flush may come after the log has been cut.
struct Disk {
    enum Write {
        case append(epoch: StorageEpoch, [StoredBlock])
        case truncate(from: LogIndex)
    }

    struct Completion {
        var epoch: StorageEpoch
        var through: LogIndex
    }

    private(set) var hardState = HardState()
    private(set) var blocks: [StoredBlock] = []
    private(set) var writes: [Write] = []
    private(set) var persists: [HardState] = []
    var completions: [Completion] = []
    private var hasFailed = false

    var lastIndex: LogIndex { blocks.last?.info.last ?? .zero }

    mutating func persist(_ state: HardState) { persists.append(state) }
    mutating func append(_ new: [StoredBlock], epoch: StorageEpoch) { write(.append(epoch: epoch, new)) }
    mutating func truncate(from index: LogIndex) { write(.truncate(from: index)) }

    private mutating func write(_ write: Write) {
        precondition(!hasFailed, "a write after a failed one")
        writes.append(write)
    }

    /// Makes the oldest `count` writes durable, and notes the completion of each append.
    mutating func sync(_ count: Int = .max) {
        for write in writes.prefix(count) {
            apply(write)
            if case .append(let epoch, let new) = write, let last = new.last {
                completions.append(Completion(epoch: epoch, through: last.info.last))
            }
        }
        writes.removeFirst(min(count, writes.count))
    }

    mutating func syncHardState() -> [HardState] {
        defer { persists.removeAll() }
        if let newest = persists.last { hardState = newest }
        return persists
    }

    /// A crash: of what was not synced, the oldest `writes` and `persists` happen to have reached the disk.
    mutating func crash(keepingWrites keptWrites: Int, persists keptPersists: Int) {
        for write in writes.prefix(keptWrites) { apply(write) }
        if let newest = persists.prefix(keptPersists).last { hardState = newest }
        hasFailed = false
        writes.removeAll()
        persists.removeAll()
        completions.removeAll()
    }

    /// A write fails: what was queued never happens, and nothing is written after it.
    mutating func fail() {
        hasFailed = true
        writes.removeAll()
        persists.removeAll()
        completions.removeAll()
    }

    var recovered: RecoveredLog {
        var log = RecoveredLog(lastIndex: lastIndex)
        for block in blocks where block.info.term != log.termStarts.last?.term {
            log.termStarts.append(.init(index: block.info.base, term: block.info.term))
        }
        return log
    }

    /// Whole blocks beginning with the one that contains `index`.
    func read(from index: LogIndex, maxBytes: Int) -> [StoredBlock] {
        var found: [StoredBlock] = []
        var bytes = 0
        for block in blocks where block.info.last >= index {
            bytes += block.info.bytes
            if !found.isEmpty, bytes > maxBytes { break }
            found.append(block)
        }
        return found
    }

    private mutating func apply(_ write: Write) {
        switch write {
        case .append(_, let new): blocks += new
        case .truncate(let index): blocks.removeAll { $0.info.base >= index }
        }
    }
}
