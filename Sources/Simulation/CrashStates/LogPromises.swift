import Basics
import SegmentLog

/// What a log was asked for and what it reported: so much must, and no more can, be found of it after a crash.
///
/// Knows every version of the log (a truncation begins a new one, whose number is the token of its appends).
struct LogPromises {
    private struct Version {
        var blocks: [Block] = []
        /// Where it was cut off from the version before.
        var cut = LogIndex(.max)
    }

    private var versions = [Version()]
    /// The newest version that was reported, and how far it was reported as flushed.
    private var reported: (version: Int, through: LogIndex) = (0, .zero)
    private var hardStates = [HardStateRecord()]
    private var savedHardStates = 0
    private var firstIndex = LogIndex(1)

    // MARK: What is asked for

    /// Of the newest version.
    var token: UInt64 { UInt64(versions.count - 1) }

    /// Whether the newest version has the block.
    func stands(_ block: Block) -> Bool { versions[versions.count - 1].blocks.contains(block) }

    mutating func append(_ block: Block) { versions[versions.count - 1].blocks.append(block) }

    /// The log ends at `last` now.
    mutating func cut(to last: LogIndex) {
        versions.append(Version(blocks: versions[versions.count - 1].blocks.filter { $0.last <= last }, cut: last.next))
    }

    mutating func save(_ hardState: HardStateRecord) { hardStates.append(hardState) }

    mutating func reclaim(below index: LogIndex) { firstIndex = index }

    // MARK: What is reported

    mutating func flushed(_ token: UInt64, _ through: LogIndex) { reported = (Int(token), through) }

    mutating func savedHardState() { savedHardStates += 1 }

    // MARK: Judgement

    /// What is wrong with a log that recovery made of the remains; nil if nothing is.
    func problem(with log: SegmentLog, blocks: [Block]) -> String? {
        guard log.firstIndex <= firstIndex else { return "the front is missing: it begins at \(log.firstIndex)" }
        guard hardStates[savedHardStates...].contains(log.hardState) else {
            return "\(log.hardState) is older than what was saved, or was never asked for"
        }
        let lowestCut = versions[(reported.version + 1)...].map(\.cut).min() ?? LogIndex(.max)
        let end = min(reported.through, lowestCut.previous)
        guard log.lastIndex >= end else { return "it ends at \(log.lastIndex), and \(end) was reported" }
        let isVersion = versions[reported.version...].contains { version in
            version.blocks.filter { $0.base >= log.firstIndex }.starts(with: blocks)
        }
        return isVersion ? nil : "it is no prefix of any version"
    }
}
