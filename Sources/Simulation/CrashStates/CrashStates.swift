import Basics
import SegmentLog

/// Stops a life of a log between any two calls to its disk, makes what a crash may leave there, and asks recovery for
/// the log: once while the power fails again, then in earnest and once more, and again when the log has gone on.
///
/// What a crash may leave: all of it, when only the process ends; else each unflushed sector alone is missing, torn, or
/// the only one to arrive, each change of a length or of the names is missing or the only one, all and none of it, and
/// some mixtures by chance.
///
/// And once at each moment the process ends and a bit of a segment rots: then a start must refuse, or miss nothing.
public struct CrashStates {
    /// Mixtures by chance at each moment.
    private static let mixtures = 6
    /// A recovery makes fewer calls than this, mostly.
    private static let recoveryCallsMax = 16

    /// States that recovery was judged on.
    public private(set) var count = 0
    /// What went wrong first.
    public private(set) var problem: String?
    private let seed: UInt64
    private let preallocates: Bool
    private var random: RandomSource

    /// - Parameter seed: of the log's life.
    public init(seed: UInt64) {
        self.seed = seed
        preallocates = seed % 2 == 0
        random = RandomSource(seed: seed).fork("crashes")
    }

    /// Judges one state in `step`, until something is wrong.
    public mutating func run(every step: Int = 1) {
        let life = CrashLife(seed: seed, preallocates: preallocates)
        do throws(StorageError) {
            try life.run()
        } catch {
            return problem = "the life of log \(seed) fails: \(error)"
        }
        if let flaw = life.problem { return problem = "life \(seed): \(flaw)" }
        var number = 0
        for (call, moment) in life.moments.enumerated() {
            if problem == nil, call % step == 0, let flaw = judgeRot(on: moment.disk.copy(), moment.promises) {
                problem = "life \(seed), before call \(call): the process ended and a bit rotted: \(flaw)"
            }
            for remains in crashes(losing: moment.disk.unflushed) {
                number += 1
                guard problem == nil, number % step == 0 else { continue }
                let disk = moment.disk.copy()
                if let remains { disk.restart(leaving: remains) }
                count += 1
                guard let flaw = judge(disk, moment.promises) else { continue }
                let crash = remains.map { "power failed, leaving \($0)" } ?? "process ended"
                problem = "life \(seed), before call \(call): the \(crash): \(flaw)"
            }
        }
    }

    /// Nil for the end of the process, which loses nothing.
    private mutating func crashes(losing all: Remains) -> [Remains?] {
        let none = Remains()
        var states: [Remains?] = [nil, none]
        guard all != none else { return states }
        states.append(all)
        for sector in all.sectors.keys.sorted() {
            states.append(all.changed { $0.sectors[sector] = nil })
            states.append(all.changed { $0.sectors[sector] = 1 + Int(random.next() % 511) })
            states.append(none.changed {
                $0.sectors[sector] = all.sectors[sector]
                $0.lengths = all.lengths
            })
        }
        for file in all.lengths.sorted() {
            states.append(all.changed { $0.lengths.remove(file) })
            states.append(none.changed { $0.lengths.insert(file) })
        }
        for count in 0..<all.nameChanges {
            states.append(all.changed { $0.nameChanges = count })
            states.append(none.changed { $0.nameChanges = count + 1 })
        }
        for _ in 0..<Self.mixtures { states.append(all.drawn(using: &random)) }
        var known: Set<Remains?> = []
        return states.filter { known.insert($0).inserted }
    }

    private mutating func judge(_ disk: SimulatedFileSystem, _ promises: LogPromises) -> String? {
        do throws(StorageError) {
            disk.stop(afterCalls: Int(random.next() % UInt64(Self.recoveryCallsMax)))
            _ = try? open(disk)
            disk.restart(leaving: disk.unflushed.drawn(using: &random))
            let first = try open(disk)
            let found = try first.readAll()
            if let problem = promises.problem(with: first.log, blocks: found) { return problem }
            disk.restart(losing: .nothing)
            let second = try open(disk)
            if let tail = second.log.recovery.tornTail { return "the next start cuts again: \(tail)" }
            guard try second.readAll() == found else { return "the next start finds another log" }
            let blocks = found + goOn(second)
            guard second.log.flushedIndex == second.log.lastIndex else { return "it does not flush any more" }
            disk.restart(leaving: disk.unflushed.drawn(using: &random))
            guard try open(disk).readAll() == blocks else { return "another log is found when it has gone on" }
            for name in try disk.list(LogDriver.directory) where name.hasSuffix(".index") {
                try disk.unlink("\(LogDriver.directory)/\(name)")
            }
            disk.restart(losing: .nothing)
            return try open(disk).readAll() == blocks ? nil : "another log is found without sidecars"
        } catch {
            return "\(error)"
        }
    }

    /// After the end of a process the watermark is exact, so whatever was reported and is not whole is known to be
    /// damage: a start that cut it off would make a voter of a log that is shorter than what it acknowledged.
    private mutating func judgeRot(on disk: SimulatedFileSystem, _ promises: LogPromises) -> String? {
        let segments = ((try? disk.list(LogDriver.directory)) ?? []).filter { $0.hasSuffix(".log") }.sorted()
        guard let newest = segments.last else { return nil }
        let name = random.next() % 2 == 0 ? newest : segments[Int(random.next() % UInt64(segments.count))]
        let (place, bit) = (random.next(), UInt8(1 << (random.next() % 8)))
        disk.alter("\(LogDriver.directory)/\(name)") { bytes in
            if !bytes.isEmpty { bytes[Int(place % UInt64(bytes.count))] ^= bit }
        }
        count += 1
        do throws(StorageError) {
            let driver = try open(disk)
            return promises.problem(with: driver.log, blocks: try driver.readAll()).map { "\(name): \($0)" }
        } catch .damaged {
            return nil
        } catch {
            return "\(name): \(error)"
        }
    }

    private func open(_ disk: SimulatedFileSystem) throws(StorageError) -> LogDriver {
        try LogDriver(disk: disk, preallocates: preallocates)
    }

    /// Appends as a next leader might, of any term that may follow.
    private mutating func goOn(_ driver: LogDriver) -> [Block] {
        var blocks: [Block] = []
        for _ in 0...random.next() % 3 {
            let term = max(driver.log.lastTerm.rawValue, 1) + random.next() % 2
            blocks.append(driver.append(.drawn(using: &random), term: term, token: .max))
            if random.next() % 2 == 0 { driver.settle() }
        }
        driver.settle()
        return blocks
    }
}

extension Remains {
    fileprivate func changed(_ change: (inout Remains) -> Void) -> Remains {
        var changed = self
        change(&changed)
        return changed
    }
}
