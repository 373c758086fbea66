import Basics

/// Who consumes which lane: never two members of a group at once, as far as members can know. A member's claim holds
/// until its session would be over if the coordinator had heard nothing since its last heartbeat that was answered.
///
/// Owner: the `GroupHistory`.
final class PartitionClaims {
    /// What one process of a member claims.
    ///
    /// Owner: its member.
    final class Claim {
        let group: String
        let name: String
        fileprivate(set) var lanes: Set<Lane> = []
        /// From then on the group may have given its lanes to others.
        fileprivate(set) var end = Instant.zero

        init(_ name: String, of group: String) {
            self.name = name
            self.group = group
        }
    }

    private struct GroupLane: Hashable {
        let group: String
        let lane: Lane
    }

    private unowned let world: World
    private var claims: [String: [Claim]] = [:]
    private var lastTaker: [GroupLane: Claim] = [:]

    init(in world: World) { self.world = world }

    /// A member got lanes. If its claim is over already, since it hears an old answer after a pause, nobody is to blame
    /// for what it does until it hears a newer one: its commits will be refused.
    ///
    /// - Parameter end: until when its claim holds.
    func take(_ lanes: Set<Lane>, for claim: Claim, until end: Instant) {
        let others = (claims[claim.group] ?? []).filter { $0 !== claim }
        claims[claim.group] = others + [claim]
        let isOver = end <= world.scheduler.now
        var taken = lanes
        for owner in others where owner.end > world.scheduler.now {
            guard let lane = owner.lanes.intersection(lanes).min() else { continue }
            if isOver {
                taken.subtract(owner.lanes)
            } else {
                world.failPromise(
                    "group \(claim.group): \(claim.name) and \(owner.name) have \(lane), the latter until \(owner.end)")
            }
        }
        claim.lanes.formUnion(lanes)
        claim.end = end
        for lane in taken { lastTaker[GroupLane(group: claim.group, lane: lane)] = claim }
    }

    /// The coordinator said that the member is still in. A claim that is over stays so: what the coordinator does about
    /// it may be under way.
    func renew(_ claim: Claim, until end: Instant) {
        if world.scheduler.now <= claim.end { claim.end = max(claim.end, end) }
    }

    /// It may end sooner than was thought.
    func cap(_ claim: Claim, at end: Instant) { claim.end = min(claim.end, end) }

    /// Whether the group may have given its lanes to others.
    func isOver(_ claim: Claim) -> Bool { claim.end <= world.scheduler.now }

    func giveUp(_ lanes: Set<Lane>, of claim: Claim) { claim.lanes.subtract(lanes) }

    func giveUpAll(of claim: Claim) {
        claim.lanes = []
        claims[claim.group]?.removeAll { $0 === claim }
    }

    /// Whether another member has got the lane since this one did.
    func isOvertaken(_ claim: Claim, on lane: Lane) -> Bool {
        lastTaker[GroupLane(group: claim.group, lane: lane)].map { $0 !== claim } ?? false
    }
}
