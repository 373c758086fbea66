/// The offsets that groups committed. Each lane of a group is a register that is written by commits, each with a number
/// of its own in the metadata, and read by OffsetFetch; all of it must be as if it happened one after the other.
///
/// Owner: the `GroupHistory`. Grows with the commits of one world.
final class CommittedOffsets {
    enum Outcome {
        case acknowledged
        /// It must never be read.
        case refused
        case unknown
    }

    struct Key: Hashable {
        let group: String
        let lane: Lane
    }

    private struct Commit {
        let key: Key
        let offset: Int64
        let began: UInt64
        /// When its outcome was known, or given up.
        var ended: UInt64?
        var isRefused = false
        /// The highest offset acknowledged before it began.
        let highest: Int64
    }

    private struct Register {
        /// When the last of those operations began that certainly happened.
        var floor: UInt64 = 0
        /// When the last deletion was over: what a reader finds nothing after.
        var emptiedUntil: UInt64 = 0
        var highest: Int64 = -1
    }

    /// A deletion under way: of one lane's offset, or of all that the group has.
    private struct Deletion {
        let group: String
        let lane: Lane?

        func empties(_ key: Key) -> Bool { group == key.group && (lane == nil || lane == key.lane) }
    }

    private unowned let world: World
    private var deletions: [UInt64: Deletion] = [:]
    private var commits: [Commit] = []
    private var registers: [Key: Register] = [:]
    /// Orders what happens, more finely than time does.
    private var moment: UInt64 = 0

    init(in world: World) { self.world = world }

    private func next() -> UInt64 {
        moment += 1
        return moment
    }

    // MARK: Commits

    /// A commit begins.
    ///
    /// - Returns: its number, which its metadata must be.
    func begin(_ offset: Int64, of lane: Lane, group: String) -> Int {
        let key = Key(group: group, lane: lane)
        commits.append(
            Commit(key: key, offset: offset, began: next(), highest: registers[key]?.highest ?? -1))
        return commits.count - 1
    }

    /// - Parameter isForward: whether its group only ever goes forward.
    func end(_ number: Int, _ outcome: Outcome, isForward: Bool = true) {
        let commit = commits[number]
        commits[number].ended = next()
        switch outcome {
        case .refused: commits[number].isRefused = true
        case .unknown: break
        case .acknowledged:
            if isForward, commit.offset < commit.highest {
                world.failPromise(
                    "group \(commit.key.group), \(commit.key.lane): a commit of \(commit.offset) was acknowledged "
                        + "after one of \(commit.highest)")
            }
            happened(commit)
        }
    }

    private func happened(_ commit: Commit) {
        var register = registers[commit.key] ?? Register()
        register.floor = max(register.floor, commit.began)
        register.highest = max(register.highest, commit.offset)
        registers[commit.key] = register
    }

    // MARK: Deletions

    /// A deletion of what was committed begins.
    ///
    /// - Parameter lane: nil for all of the group's.
    /// - Returns: its number.
    func beginDeletion(of lane: Lane?, group: String) -> UInt64 {
        let began = next()
        deletions[began] = Deletion(group: group, lane: lane)
        return began
    }

    /// - Parameter began: what `beginDeletion` returned.
    func endDeletion(_ began: UInt64, isAcknowledged: Bool) {
        guard let deletion = deletions.removeValue(forKey: began) else { return }
        let ended = next()
        for (key, known) in registers where deletion.empties(key) {
            var register = known
            register.emptiedUntil = ended
            if isAcknowledged { register.floor = max(register.floor, began) }
            registers[key] = register
        }
    }

    // MARK: Reads

    /// A read begins.
    ///
    /// - Returns: for each lane, what it may not be older than.
    func floors(of lanes: [Lane], group: String) -> [Lane: UInt64] {
        Dictionary(uniqueKeysWithValues: lanes.map { ($0, registers[Key(group: group, lane: $0)]?.floor ?? 0) })
    }

    /// A read was answered.
    ///
    /// - Parameters:
    ///   - offset: -1 for none.
    ///   - floor: as `floors` gave it when the read began.
    func read(_ offset: Int64, _ metadata: String, of lane: Lane, group: String, floor: UInt64) {
        let key = Key(group: group, lane: lane), what = "group \(group), \(lane)"
        guard offset >= 0 else {
            let isBeingEmptied = deletions.values.contains { $0.empties(key) }
            if floor > 0, !isBeingEmptied, registers[key]?.emptiedUntil ?? 0 < floor {
                world.failPromise("\(what): no committed offset, though one was acknowledged")
            }
            return
        }
        guard let number = Int(metadata), commits.indices.contains(number), commits[number].key == key,
            commits[number].offset == offset
        else { return world.fail("\(what): the committed offset \(offset) '\(metadata)' was never committed") }
        let commit = commits[number]
        if commit.isRefused {
            world.failPromise("\(what): the committed offset is \(offset), whose commit \(number) was refused")
        }
        if let ended = commit.ended, ended < floor {
            world.failPromise("\(what): the committed offset is \(offset) of commit \(number), older than another one")
        }
        happened(commit)
    }
}
