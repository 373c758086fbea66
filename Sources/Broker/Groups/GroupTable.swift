import Basics
import KafkaWire

/// The consumer groups of one shard.
///
/// Owner: the shard's `TopicsFSM`, on the event loop. Grows with the groups that clients make; a group goes when it has
/// neither members nor offsets.
struct GroupTable {
    private(set) var groups: [String: Group] = [:]
    /// The topics that offsets were committed for and that are not forgotten; some may have none left.
    private(set) var topics: Set<TopicNumber> = []
    /// Groups that a command was about since `takeTouched` was called last.
    private var touched: Set<String> = []

    subscript(groupID: String) -> Group? { groups[groupID] }

    /// - Parameter isAlive: whether a topic is there.
    mutating func apply(_ command: GroupCommand, isAlive: (TopicNumber) -> Bool) -> CommandResult {
        touched.insert(command.groupID)
        switch command.action {
        case .commitOffsets, .classic, .consumer: break
        case .deleteOffsets, .expireOffsets, .delete:
            guard groups[command.groupID] != nil else { return .refused(.groupIDNotFound) }
        }
        let result = groups[command.groupID, default: Group()].apply(command, isAlive: isAlive)
        if case .commitOffsets(let commit) = command.action, result == .none {
            for entry in commit.offsets where isAlive(entry.partition.topic) { topics.insert(entry.partition.topic) }
        }
        if groups[command.groupID]?.isVacant == true { groups[command.groupID] = nil }
        return result
    }

    /// The topic was deleted: its offsets go. A group keeps its members, who will hear of it from their metadata.
    mutating func forget(_ topic: TopicNumber) {
        guard topics.remove(topic) != nil else { return }
        for groupID in groups.keys {
            groups[groupID]?.forget(topic)
            if groups[groupID]?.isVacant == true { groups[groupID] = nil }
        }
    }

    /// The groups that commands were about since the last call, in their order.
    mutating func takeTouched() -> [String] {
        defer { touched.removeAll(keepingCapacity: true) }
        return touched.sorted()
    }
}
