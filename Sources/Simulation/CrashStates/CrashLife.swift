import Basics
import SegmentLog

/// A short life of a log, drawn from a seed: what its disk held before each call, and what had been promised by then.
///
/// Owner: one `CrashStates`.
final class CrashLife {
    private let disk = SimulatedFileSystem()
    private let preallocates: Bool
    private var random: RandomSource
    private var promises = LogPromises() {
        didSet { history.append((disk.callCount, promises)) }
    }
    /// What went wrong first while it lived.
    private(set) var problem: String?
    /// What was promised, with the calls that the disk had seen by then.
    private var history: [(calls: Int, promises: LogPromises)] = []

    init(seed: UInt64, preallocates: Bool) {
        random = RandomSource(seed: seed)
        self.preallocates = preallocates
    }

    /// Four terms, each with appends that begin new segments, a truncation and a reclaim before all but the first; some
    /// begin with a start.
    func run() throws(StorageError) {
        disk.keepSnapshots()
        var driver = try open()
        for term in 1...4 as ClosedRange<UInt64> {
            save(HardStateRecord(term: term, vote: Int32(draw(3))), driver)
            if term > 1 { cut(driver, entries: 1 + draw(term == 2 ? 4 : 14)) }
            if term > 1 { reclaim(driver, keeping: 2 + UInt64(draw(8))) }
            for _ in 0..<6 + draw(10) {
                // A new leader may send what an earlier one had appended.
                let oldest = max(driver.log.lastTerm.rawValue, 1)
                append(driver, term: oldest + UInt64(draw(Int(term - oldest) + 1)))
                if draw(3) == 0 { driver.settle() }
            }
            driver.settle()
            if draw(2) == 0 {
                driver.close()
                driver = try open()
            }
        }
        driver.close()
    }

    /// Each moment between two calls of the disk that change something.
    var moments: [(disk: SimulatedFileSystem, promises: LogPromises)] {
        var newest = LogPromises()
        var later = history[...]
        return disk.snapshots.enumerated().map { calls, disk in
            while let next = later.first, next.calls <= calls {
                newest = next.promises
                later.removeFirst()
            }
            return (disk, newest)
        }
    }

    private func open() throws(StorageError) -> LogDriver {
        let driver = try LogDriver(disk: disk, preallocates: preallocates)
        driver.log.onFlushed = { [unowned self] token, through in promises.flushed(token, through) }
        return driver
    }

    private func draw(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }

    private func append(_ driver: LogDriver, term: UInt64) {
        promises.append(driver.append(.drawn(using: &random), term: term, token: promises.token))
    }

    private func cut(_ driver: LogDriver, entries: Int) {
        // The oldest block stays: below it may be nothing that begins a log.
        let lowest = Int(driver.log.firstIndex.rawValue) + BlockShape.entriesMax
        let from = max(lowest, Int(driver.log.lastIndex.rawValue) + 1 - entries)
        read(driver, from: LogIndex(UInt64(from) - UInt64(draw(2))))
        driver.log.truncate(from: LogIndex(UInt64(from)))
        promises.cut(to: driver.log.lastIndex)
    }

    /// Begins to read from the disk: the answer comes when the log may have been cut and has gone on.
    private func read(_ driver: LogDriver, from index: LogIndex) {
        driver.log.evict(below: driver.log.lastIndex.next)
        driver.log.read(from: index, maxBytes: 64.kibibytes) { [unowned self] result in
            switch result {
            case .success(let blocks):
                guard let lost = blocks.first(where: { !promises.stands($0) }) else { return }
                problem = problem ?? "a read from \(index) gives \(lost.base)...\(lost.last), which was cut off"
            case .failure(.outOfRange): break
            case .failure(let error): problem = problem ?? "a read from \(index) fails: \(error)"
            }
        }
    }

    private func save(_ hardState: HardStateRecord, _ driver: LogDriver) {
        promises.save(hardState)
        driver.log.saveHardState(hardState) { [unowned self] in promises.savedHardState() }
    }

    private func reclaim(_ driver: LogDriver, keeping entries: UInt64) {
        let last = driver.log.lastIndex.rawValue
        driver.log.reclaim(below: LogIndex(last - min(entries, last - 1)))
        promises.reclaim(below: driver.log.firstIndex)
    }
}
