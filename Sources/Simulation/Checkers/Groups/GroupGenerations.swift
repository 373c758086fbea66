/// The generations of groups of the classic protocol: they only grow, each has one leader and one assignment, in which
/// no lane stands twice.
///
/// Owner: the `GroupHistory`.
final class GroupGenerations {
    private struct Generation: Hashable {
        let group: String
        let number: Int32
    }

    private unowned let world: World
    private var newest: [String: Int32] = [:]
    private var leaders: [Generation: String] = [:]
    private var assignments: [Generation: [String: Set<AnyHashable>]] = [:]

    init(in world: World) { self.world = world }

    /// The newest that any member was told of.
    func newest(of group: String) -> Int32 { newest[group] ?? 0 }

    /// A member was told its generation.
    ///
    /// - Parameters:
    ///   - member: its instance id if it has one, since a static member may take its own place.
    ///   - least: the newest generation when it asked.
    func joined(_ group: String, _ number: Int32, member: String, leads: Bool, least: Int32) {
        if number < least {
            world.failPromise("group \(group): generation \(number) after \(least)")
        }
        newest[group] = max(number, newest(of: group))
        guard leads else { return }
        let generation = Generation(group: group, number: number)
        if let other = leaders.updateValue(member, forKey: generation), other != member {
            world.failPromise("group \(group), generation \(number): \(other) and \(member) lead")
        }
    }

    /// A member was told its assignment.
    ///
    /// - Parameter partitions: by the topic's id or name, the same way in all of a group.
    func assigned<Partition: Hashable>(_ group: String, _ number: Int32, member: String, partitions: [Partition]) {
        let generation = Generation(group: group, number: number)
        for (other, theirs) in (assignments[generation] ?? [:]).sorted(by: { $0.key < $1.key }) where other != member {
            if let partition = partitions.first(where: { theirs.contains($0) }) {
                world.failPromise(
                    "group \(group), generation \(number): \(other) and \(member) are assigned \(partition)")
            }
        }
        let assigned = Set<AnyHashable>(partitions)
        if let before = assignments[generation]?.updateValue(assigned, forKey: member), before != assigned {
            world.failPromise("group \(group), generation \(number): \(member) has two assignments")
        }
        assignments[generation, default: [:]][member] = assigned
    }
}
