import Basics
import NIOCore
import SegmentLog

/// A short life of a log, and what may be left of it at each moment.
///
/// Knows every version of the log (a truncation begins a new one, whose number is the token of its appends) and what
/// was reported, so that it can judge whatever a recovery finds.
final class CrashLife {
    private let disk: SimulatedFileSystem
    private var random: RandomSource
    private var versions: [[Block]] = [[]]
    /// Of the newest version that was reported: its number, and how far it was reported as flushed.
    private var reported: (version: Int, through: LogIndex) = (0, .zero)
    /// Where the versions after the reported one were cut off from it.
    private var lowestCut = LogIndex(.max)
    private var savedTerm: UInt64 = 0
    private var askedTerm: UInt64 = 0
    private var reclaimed = LogIndex(1)

    init(disk: SimulatedFileSystem, seed: UInt64) {
        self.disk = disk
        random = RandomSource(seed: seed)
    }

    /// Lives until the disk stops: three terms with a cut before each, and a reclaim before the last.
    func run() {
        guard let driver = try? LogDriver(disk: disk) else { return }
        driver.log.onFlushed = { [unowned self] token, through in note(Int(token), through) }
        for term in 1...3 as ClosedRange<UInt64> {
            saveTerm(term, driver)
            if term > 1 { cut(driver, last: 1 + draw(term == 2 ? 4 : 14)) }
            if term == 3 { reclaim(driver, keeping: 4 + draw(12)) }
            for _ in 0..<8 + draw(14) {
                append(driver, term: term)
                if draw(3) == 0 { driver.settle() }
            }
            driver.settle()
        }
        saveTerm(4, driver)
        driver.close()
    }

    private func draw(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }

    private func note(_ version: Int, _ through: LogIndex) {
        if version != reported.version { lowestCut = LogIndex(.max) }
        reported = (version, through)
    }

    private func append(_ driver: LogDriver, term: UInt64) {
        let (count, bytes) = (1 + draw(3), 1 + draw(700))
        // A poisoned log has nothing more to tell.
        guard driver.log.failure == nil else { return }
        let block = driver.append(count: count, payloadBytes: bytes, term: term, token: UInt64(versions.count - 1))
        versions[versions.count - 1].append(block)
    }

    private func cut(_ driver: LogDriver, last count: Int) {
        guard driver.log.failure == nil else { return }
        let from = max(1, Int(driver.log.lastIndex.rawValue) + 1 - count)
        driver.log.truncate(from: LogIndex(UInt64(from)))
        lowestCut = min(lowestCut, driver.log.lastIndex.next)
        versions.append(versions[versions.count - 1].filter { $0.last <= driver.log.lastIndex })
    }

    private func saveTerm(_ term: UInt64, _ driver: LogDriver) {
        if driver.log.failure == nil { askedTerm = term }
        driver.log.saveHardState(HardStateRecord(term: term, vote: 7)) { [unowned self] in savedTerm = term }
    }

    private func reclaim(_ driver: LogDriver, keeping count: Int) {
        guard driver.log.failure == nil, driver.log.lastIndex.rawValue > UInt64(count) else { return }
        driver.log.reclaim(below: LogIndex(driver.log.lastIndex.rawValue - UInt64(count)))
        reclaimed = driver.log.firstIndex
    }

    // MARK: Judgement

    /// What is wrong with a log that recovery made of this life's remains; nil if nothing is.
    func problem(with log: SegmentLog, blocks: [Block]) -> String? {
        guard log.firstIndex <= reclaimed else { return "the front is missing: \(log.firstIndex)" }
        guard log.hardState.term >= savedTerm, log.hardState.term <= askedTerm else {
            return "term \(log.hardState.term), saved \(savedTerm), asked for \(askedTerm)"
        }
        let mustReach = min(reported.through, lowestCut.previous)
        guard log.lastIndex >= mustReach else { return "ends at \(log.lastIndex), reported \(mustReach)" }
        guard blocks.last?.last ?? .zero == log.lastIndex else { return "reads to \(blocks.last?.last ?? .zero)" }
        let isVersion = versions[reported.version...].contains { version in
            let kept = version.filter { $0.base >= log.firstIndex }
            return blocks.count <= kept.count && Array(kept.prefix(blocks.count)) == blocks
        }
        return isVersion ? nil : "is no prefix of any version"
    }
}
