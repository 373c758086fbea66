/// What the groups of one world were told and did, and whether it can have been so.
///
/// Owner: the world's `Workload`. Grows with the operations of one world, which end with it.
final class GroupHistory {
    private struct GroupLane: Hashable {
        let group: String
        let lane: Lane
    }

    private unowned let world: World
    private let history: History
    let offsets: CommittedOffsets
    let claims: PartitionClaims
    let generations: GroupGenerations
    /// Each group has read all records below, of those that were not deleted.
    private var delivered: [GroupLane: Int64] = [:]

    init(in world: World, _ history: History) {
        self.world = world
        self.history = history
        offsets = CommittedOffsets(in: world)
        claims = PartitionClaims(in: world)
        generations = GroupGenerations(in: world)
    }

    /// A member read the records from one offset to before another.
    func read(_ group: String, _ lane: Lane, from first: Int64, to end: Int64) {
        let key = GroupLane(group: group, lane: lane), reached = delivered[key] ?? 0
        history.statistics.delivered += Int(end - first)
        if first > max(reached, history.starts.most(lane)), !history.isDeleted(lane) {
            world.failPromise("group \(group), \(lane): reads on at \(first), nobody has read \(reached)..<\(first)")
        }
        delivered[key] = max(reached, end)
    }

    /// Whether the group has read all of a lane but what was deleted.
    func hasRead(_ group: String, _ lane: Lane, to end: Int64) -> Bool {
        max(delivered[GroupLane(group: group, lane: lane)] ?? 0, history.starts.most(lane)) >= end
    }
}
