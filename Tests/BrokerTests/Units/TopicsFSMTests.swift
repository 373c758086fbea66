import Basics
import KafkaWire
import NIOCore
import Raft
import SegmentLog
import Testing

@testable import Broker

@Suite struct TopicsFSMTests {
    private static func create(_ name: String, id: UInt64) -> Command {
        .createTopic(
            CreateTopicCommand(
                name: name, id: TopicID(high: 0, low: id), partitionCount: 4, replicationFactor: 1, configs: []))
    }

    @Test func `a batch for a topic that is not there is refused in the metadata shard`() {
        let machine = TopicsFSM(shard: .metadata)
        var log = CommandLog()
        let produce = Command.produce(.sample(PartitionKey(TopicNumber(1), 0)))
        #expect(log.apply(produce, to: machine) == .refused(.unknownTopicOrPartition))
        #expect(log.apply(Self.create("t", id: 1), to: machine) == .topic(TopicNumber(1)))
        #expect(log.apply(produce, to: machine) == .appended(baseOffset: .zero, logStart: .zero))
        #expect(log.apply(.deleteTopic(TopicID(high: 0, low: 1)), to: machine) == .topic(TopicNumber(1)))
        #expect(log.apply(produce, to: machine) == .refused(.unknownTopicOrPartition))
        #expect(machine.topicNumbers.isEmpty)
        #expect(machine.takeDeleted() == [TopicNumber(1)])
        #expect(machine.takeDeleted().isEmpty)
    }

    @Test func `records are deleted of partitions that are alive, and of no others`() {
        let machine = TopicsFSM(shard: ShardID(1))
        var log = CommandLog()
        let key = PartitionKey(TopicNumber(1), 0)
        #expect(log.apply(.deleteRecords(key, before: .zero), to: machine) == .logStart(.zero))
        #expect(log.apply(.deleteRecords(key, before: Offset(1)), to: machine) == .refused(.offsetOutOfRange))
        #expect(machine.state(of: key) == nil)
        _ = log.apply(.produce(.sample(key, count: 5)), to: machine)
        let before = machine.digest
        #expect(log.apply(.deleteRecords(key, before: Offset(3)), to: machine) == .logStart(Offset(3)))
        #expect(machine.digest != before)
        #expect(
            log.apply(.produce(.sample(key)), to: machine) == .appended(baseOffset: Offset(5), logStart: Offset(3)))
        _ = log.apply(.forgetTopic(TopicNumber(1)), to: machine)
        #expect(
            log.apply(.deleteRecords(key, before: Offset(4)), to: machine) == .refused(.unknownTopicOrPartition))
    }

    @Test func `a changed configuration is part of the digest, and a missing topic has none`() {
        let machine = TopicsFSM(shard: .metadata)
        var log = CommandLog()
        _ = log.apply(Self.create("t", id: 1), to: machine)
        func alter(_ id: UInt64) -> Command {
            .alterTopicConfigs(
                AlterTopicConfigsCommand(
                    topic: TopicID(high: 0, low: id), replacesAll: false,
                    changes: [.init(name: "max.message.bytes", operation: .set, value: "9")]))
        }
        let before = machine.digest
        #expect(log.apply(alter(2), to: machine) == .refused(.unknownTopicOrPartition))
        #expect(machine.digest == before)
        #expect(log.apply(alter(1), to: machine) == .topic(TopicNumber(1)))
        #expect(machine.digest != before)
        #expect(machine.metadata.topic(named: "t")?.config.batchBytesMax == 9)
    }

    @Test func `entries of Raft's own get an answer and no place in a partition`() {
        let machine = TopicsFSM(shard: ShardID(1))
        let key = PartitionKey(TopicNumber(1), 0)
        let head = Command.produce(.sample(key)).encoded()
        let entries = [
            Entry(type: .noop, payload: ByteBuffer()), Entry(head: head, payload: ByteBuffer(string: "x")),
            Entry(type: .barrier, payload: ByteBuffer()), Entry(head: head, payload: ByteBuffer(string: "y")),
        ]
        let block = BlockEncoder().encode(entries, shard: ShardID(1), compression: .off)
            .stamp(base: LogIndex(1), term: Term(1), segment: LogIndex(1))
        var responses: [CommandResult] = []
        machine.apply(
            CommittedBlock(term: Term(1), segment: LogIndex(1), entries: block.entries, payload: nil),
            responses: &responses)
        #expect(
            responses == [
                .none, .appended(baseOffset: .zero, logStart: .zero), .none,
                .appended(baseOffset: Offset(1), logStart: .zero),
            ])
    }

    @Test func `the partitions that got batches are told once for each batch`() {
        let machine = TopicsFSM(shard: ShardID(1))
        var log = CommandLog()
        let keys = (0..<2).map { PartitionKey(TopicNumber(1), Int32($0)) }
        _ = log.apply(
            [(.produce(.sample(keys[0])), 10), (.produce(.sample(keys[1])), 20), (.produce(.sample(keys[0])), 30)],
            to: machine)
        var touched: [String] = []
        machine.takeTouched { key, bytes in touched.append("\(key) \(bytes)") }
        #expect(touched == ["1/0 10", "1/1 20", "1/0 30"])
        machine.takeTouched { _, _ in Issue.record("told twice") }
    }

    @Test func `what is known of a sealed segment leaves memory as one table`() throws {
        let machine = TopicsFSM(shard: ShardID(1))
        var log = CommandLog()
        let keys = (0..<3).map { PartitionKey(TopicNumber(1), Int32($0)) }
        for key in [keys[2], keys[0], keys[2]] { _ = log.apply(.produce(.sample(key, count: 2)), to: machine) }
        #expect(machine.takeSealed().isEmpty)
        log.roll()
        _ = log.apply(.produce(.sample(keys[1])), to: machine)
        let tables = machine.takeSealed()
        #expect(tables.map(\.segment) == [LogIndex(1)])
        #expect(tables[0].partitions.map(\.key) == [keys[0], keys[2]])
        #expect(tables[0].partitions.map(\.endOffset) == [Offset(2), Offset(4)])
        #expect(machine.takeSealed().isEmpty)
        for key in [keys[0], keys[2]] {
            let index = try #require(machine.state(of: key)?.index)
            #expect(index.runs.isEmpty)
            #expect(index.sealed.newest?.segment == LogIndex(1))
        }
        #expect(machine.state(of: keys[1])?.index.runs.count == 1)
    }

    @Test func `a segment without batches leaves no table, and a deleted topic is in none`() {
        let machine = TopicsFSM(shard: ShardID(1))
        var log = CommandLog()
        let key = PartitionKey(TopicNumber(1), 0)
        _ = log.apply(.produce(.sample(key)), to: machine)
        _ = log.apply(.forgetTopic(TopicNumber(1)), to: machine)
        log.roll()
        _ = log.apply(.forgetTopic(TopicNumber(2)), to: machine)
        log.roll()
        _ = log.apply(.forgetTopic(TopicNumber(3)), to: machine)
        #expect(machine.takeSealed().isEmpty)
    }

    @Test(arguments: 0..<10 as Range<UInt64>) func `the same log cut into other blocks gives the same state`(
        seed: UInt64
    ) {
        var random = RandomSource(seed: seed)
        let commands: [(Command, payloadBytes: Int)] = (0..<300).map { number in
            let key = PartitionKey(
                TopicNumber(UInt32.random(in: 1...2, using: &random)), Int32.random(in: 0...2, using: &random))
            if Int.random(in: 0..<100, using: &random) == 0 { return (.forgetTopic(TopicNumber(3)), 0) }
            let producer = ByteBuffer.Producer(
                id: Int64.random(in: 0...2, using: &random), sequence: Int32.random(in: 0...5, using: &random))
            return (
                .produce(.sample(key, count: 1, maxTimestamp: Int64(number), producer: producer, at: Int64(number))),
                Int.random(in: 1...10_000, using: &random)
            )
        }
        func run(_ cut: (inout RandomSource) -> Int) -> (TopicsFSM, [CommandResult]) {
            let machine = TopicsFSM(shard: ShardID(1))
            var log = CommandLog()
            var results: [CommandResult] = []
            var rest = commands[...]
            while !rest.isEmpty {
                let block = rest.prefix(cut(&random))
                rest = rest.dropFirst(block.count)
                results += log.apply(Array(block), to: machine)
            }
            return (machine, results)
        }
        let one = run { _ in 1 }, other = run { Int.random(in: 1...20, using: &$0) }
        #expect(one.1 == other.1)
        for topic: UInt32 in 1...2 {
            for partition: Int32 in 0...2 {
                let key = PartitionKey(TopicNumber(topic), partition)
                let a = one.0.state(of: key), b = other.0.state(of: key)
                #expect(a?.nextOffset == b?.nextOffset)
                #expect(a?.index.runs == b?.index.runs)
                #expect(a?.producers == b?.producers)
            }
        }
    }
}
