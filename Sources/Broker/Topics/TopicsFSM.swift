import Basics
import KafkaWire
import Raft
import SegmentLog

/// The state machine of one shard: materialises topics and partitions from committed entries.
///
/// Owner: the shard's `RaftNode`, on the event loop. It holds no payload: a partition is an index into the shard's
/// log. Everything here follows from the log alone.
public final class TopicsFSM: FSM {
    public typealias Response = CommandResult

    /// Heads say everything the state machine needs; payloads stay where they are.
    public static let readsPayloads = false

    public let shard: ShardID
    /// Filled in shard 0 only.
    public let metadata = ClusterMetadata()
    private(set) var partitions: [PartitionKey: PartitionState] = [:]
    /// The consumer groups that this shard keeps, with what they committed, wherever the topics are.
    private(set) var groups = GroupTable()
    /// A command of which not all fragments have come.
    private(set) var assembly = CommandAssembly()
    /// Topics deleted while this shard had, or could have had, partitions of them.
    private var forgotten: Set<TopicNumber> = []
    /// Payload bytes of all entries applied: where the log stands, in bytes.
    private var position = 0
    /// The segment of the last block applied, and the partitions that have runs in it.
    private var segment = LogIndex.zero
    private var partitionsInSegment: [PartitionKey] = []
    /// Tables of segments sealed since `takeSealed` was called last.
    private var sealed: [OffsetTable] = []
    /// Partitions that got batches since `takeTouched` was called last, with the bytes.
    private var touched: [(key: PartitionKey, bytes: Int)] = []
    /// Topics deleted since `takeDeleted` was called last.
    private var deleted: [TopicNumber] = []

    public init(shard: ShardID) { self.shard = shard }

    public func apply(_ block: CommittedBlock, responses: inout [CommandResult]) {
        if block.segment != segment {
            seal()
            segment = block.segment
        }
        for entry in block.entries {
            guard entry.type == .command else {
                responses.append(.none)
                continue
            }
            do {
                let command = try assembled(try Command.decode(entry.head))
                responses.append(
                    command.map {
                        apply($0, payloadBytes: entry.payloadRange.count, at: entry.index, term: block.term)
                    } ?? .none)
                position += entry.payloadRange.count
            } catch {
                // Skipping it would let this replica's state differ from that of a replica that understands it.
                preconditionFailure(
                    "entry \(entry.index) of shard \(shard): \(error). A newer Martlet wrote it: start that version")
            }
        }
    }

    /// The command, or the whole of which it is the last fragment; nil if that is not complete.
    private func assembled(_ command: Command) throws(CommandError) -> Command? {
        guard case .fragment(let fragment) = command else {
            assembly.discard()
            return command
        }
        return try assembly.add(fragment).map { (bytes) throws(CommandError) in try Command.decode(bytes) }
    }

    private func apply(_ command: Command, payloadBytes: Int, at index: LogIndex, term: Term) -> CommandResult {
        switch command {
        case .produce(let produce):
            guard isAlive(produce.partition.topic) else { return .refused(.unknownTopicOrPartition) }
            touched.append((produce.partition, payloadBytes))
            let state = partition(produce.partition)
            let isNewInSegment = state.index.runs.isEmpty
            defer { if isNewInSegment, !state.index.runs.isEmpty { partitionsInSegment.append(produce.partition) } }
            return state.apply(produce, at: index, position: position, bytes: payloadBytes, term: term)
        case .createTopic(let create): return metadata.create(create)
        case .deleteTopic(let id):
            let result = metadata.delete(id)
            if case .topic(let number) = result {
                forget(number)
                deleted.append(number)
            }
            return result
        case .createPartitions(let id, let count): return metadata.createPartitions(id, count: count)
        case .allocateProducerID: return metadata.allocateProducerID()
        case .registerBroker(let broker): return metadata.register(broker)
        case .initializeCluster(let id): return metadata.initialize(id: id)
        case .forgetTopic(let number):
            forget(number)
            return .none
        case .deleteRecords(let key, let offset):
            guard isAlive(key.topic) else { return .refused(.unknownTopicOrPartition) }
            guard let state = partitions[key] else {
                return offset == .zero ? .logStart(.zero) : .refused(.offsetOutOfRange)
            }
            return state.deleteRecords(before: offset)
        case .alterTopicConfigs(let alteration): return metadata.alter(alteration)
        case .group(let command): return groups.apply(command, isAlive: isAlive)
        case .fragment: preconditionFailure("a fragment is no part of a larger command")
        }
    }

    /// Everything in the segment has been applied: what the partitions know of it leaves memory.
    private func seal() {
        var table = OffsetTable(segment: segment)
        for key in partitionsInSegment.sorted(by: { $0.rawValue < $1.rawValue }) {
            partitions[key]?.seal(into: &table, key: key)
        }
        partitionsInSegment.removeAll(keepingCapacity: true)
        if !table.partitions.isEmpty { sealed.append(table) }
    }

    private func isAlive(_ topic: TopicNumber) -> Bool {
        shard == .metadata ? metadata.contains(topic) : !forgotten.contains(topic)
    }

    private func forget(_ topic: TopicNumber) {
        if shard != .metadata { forgotten.insert(topic) }
        partitions = partitions.filter { $0.key.topic != topic }
        groups.forget(topic)
    }

    private func partition(_ key: PartitionKey) -> PartitionState {
        if let known = partitions[key] { return known }
        let created = PartitionState()
        partitions[key] = created
        return created
    }

    // MARK: Reading

    /// The partition's state; nil while nothing was ever written to it.
    func state(of key: PartitionKey) -> PartitionState? { partitions[key] }

    /// Topics that have partitions or committed offsets in this shard, in their order.
    var topicNumbers: [TopicNumber] { Set(partitions.keys.map(\.topic)).union(groups.topics).sorted() }

    /// The partitions that got batches since the last call, each once per batch.
    func takeTouched(_ body: (PartitionKey, _ bytes: Int) -> Void) {
        for (key, bytes) in touched { body(key, bytes) }
        touched.removeAll(keepingCapacity: true)
    }

    /// The groups that commands were about since the last call, in their order.
    func takeTouchedGroups() -> [String] { groups.takeTouched() }

    /// The topics deleted from the cluster since the last call. Shard 0 only.
    func takeDeleted() -> [TopicNumber] {
        defer { deleted = [] }
        return deleted
    }

    /// The tables of the segments sealed since the last call: whoever takes them must keep them.
    func takeSealed() -> [OffsetTable] {
        defer { sealed = [] }
        return sealed
    }
}
