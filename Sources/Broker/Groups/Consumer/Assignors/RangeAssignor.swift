/// Cuts each topic into consecutive ranges, in the order of the members: partitions of the same number of topics of the
/// same size and subscribers go to the same member, so that they can be joined. The first members get one more where it
/// does not come out even.
enum RangeAssignor {
    static func assign(_ problem: AssignmentProblem) -> AssignmentProblem.Owners {
        problem.topics.map { topic in
            let count = topic.subscribers.count
            guard count > 0 else { return [Int?](repeating: nil, count: topic.partitionCount) }
            let share = topic.partitionCount / count, extra = topic.partitionCount % count
            return topic.subscribers.enumerated().flatMap { position, member in
                [Int?](repeating: member, count: share + (position < extra ? 1 : 0))
            }
        }
    }
}
