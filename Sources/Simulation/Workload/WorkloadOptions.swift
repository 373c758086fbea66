import Basics

/// What the clients of a world do.
public struct WorkloadOptions: Hashable, Sendable {
    public var idempotentProducers = 2
    /// Producers that send everything once, with acks -1, 1 and 0 in turn.
    public var plainProducers = 2
    public var consumers = 2
    public var topics = 2
    public var partitionsMax: Int32 = 3
    /// Whether topics are created, grown and deleted while the clients work.
    public var changesTopics = true
    /// Groups of the classic protocol, and of the new one.
    public var classicGroups = 0
    public var consumerGroups = 0
    /// Groups some of whose members speak the one and some the other.
    public var mixedGroups = 0
    public var groupMembersMax = 3
    /// Whether records are deleted, and offsets of a group without members.
    public var deletesRecords = false
    /// Whether configurations of topics are changed.
    public var changesConfigurations = false
    /// Longest pause of a producer between two batches.
    public var pauseMax = TimeSpan.milliseconds(100)
    /// Largest value; one in twenty is up to a hundred times larger.
    public var paddingMax = 500
    public init() {}

    func pause(_ random: inout RandomSource) -> TimeSpan {
        TimeSpan(nanoseconds: 1_000_000 + Int64(random.next() % UInt64(max(1, pauseMax.nanoseconds))))
    }

    func padding(_ random: inout RandomSource) -> Int {
        let scale = random.next() % 20 == 0 ? 100 : 1
        return Int(random.next() % UInt64(max(1, paddingMax * scale)))
    }
}
