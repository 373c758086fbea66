/// Balances the members' numbers of partitions and moves as little as that takes.
///
/// What a member was meant to have stays with it. What nobody has goes to the subscriber with the least. Then
/// partitions move, one by one, from a member to a subscriber that has at least two less. Each such move lowers the sum
/// of the squares of the members' numbers, so this comes to an end; and there no partition could move to a member that
/// has two less. With equal subscriptions this means: the numbers differ by one at most, and no assignment with that
/// property moves less.
struct UniformAssignor {
    private var topics: [AssignmentProblem.Topic]
    /// Partitions of each member, in all topics.
    private var load: [Int]
    /// Partitions of each member, for each topic and by member.
    private var topicLoad: [[Int]]

    static func assign(_ problem: AssignmentProblem) -> AssignmentProblem.Owners {
        var assignor = UniformAssignor(problem)
        // Topics with few subscribers first: they have the least choice.
        let order = problem.topics.indices.sorted {
            (problem.topics[$0].subscribers.count, $0) < (problem.topics[$1].subscribers.count, $1)
        }
        for topic in order { assignor.fill(topic) }
        var hasMoved = true
        while hasMoved {
            hasMoved = false
            for topic in order where assignor.balance(topic) { hasMoved = true }
        }
        return assignor.topics.map(\.owners)
    }

    private init(_ problem: AssignmentProblem) {
        topics = problem.topics
        load = [Int](repeating: 0, count: problem.memberCount)
        topicLoad = topics.map { _ in [Int](repeating: 0, count: problem.memberCount) }
        for (number, topic) in topics.enumerated() {
            for case let owner? in topic.owners {
                load[owner] += 1
                topicLoad[number][owner] += 1
            }
        }
    }

    /// Gives away what nobody has.
    private mutating func fill(_ topic: Int) {
        for partition in topics[topic].owners.indices where topics[topic].owners[partition] == nil {
            guard let poorest = poorest(in: topic) else { return }
            give(partition, of: topic, to: poorest)
        }
    }

    /// Moves partitions of the topic while that balances.
    ///
    /// - Returns: whether any was moved.
    private mutating func balance(_ topic: Int) -> Bool {
        var hasMoved = false
        while let poorest = poorest(in: topic), let richest = richest(in: topic), load[richest] > load[poorest] + 1 {
            guard let partition = topics[topic].owners.lastIndex(of: richest) else { return hasMoved }
            give(partition, of: topic, to: poorest)
            hasMoved = true
        }
        return hasMoved
    }

    private mutating func give(_ partition: Int, of topic: Int, to member: Int) {
        if let before = topics[topic].owners[partition] {
            load[before] -= 1
            topicLoad[topic][before] -= 1
        }
        topics[topic].owners[partition] = member
        load[member] += 1
        topicLoad[topic][member] += 1
    }

    /// The subscriber with the fewest partitions; of several, one with few of this topic: so topics spread as well.
    private func poorest(in topic: Int) -> Int? {
        topics[topic].subscribers.min { weight(of: $0, in: topic) < weight(of: $1, in: topic) }
    }

    /// The member with the most partitions among those that have one of this topic.
    private func richest(in topic: Int) -> Int? {
        topics[topic].subscribers.lazy.filter { topicLoad[topic][$0] > 0 }
            .max { weight(of: $0, in: topic) < weight(of: $1, in: topic) }
    }

    private func weight(of member: Int, in topic: Int) -> (Int, Int, Int) {
        (load[member], topicLoad[topic][member], member)
    }
}
