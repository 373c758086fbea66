import ArgumentParser
import KafkaWire
import Testing

@testable import MartletClient
@testable import martlet

@Suite("Commands about groups and topics")
struct GroupCommandTests {
    private static func member(
        _ client: String, assigned: [Int32], target: [Int32]? = nil
    ) -> GroupDescription.Member {
        func places(_ partitions: [Int32]) -> [TopicPartition] { partitions.map { TopicPartition("orders", $0) } }
        return GroupDescription.Member(
            id: "id-\(client)", instanceID: nil, clientID: client, host: "/10.0.0.1", epoch: 4,
            subscription: ["orders"], assigned: places(assigned), target: places(target ?? assigned))
    }

    @Test("a report has the lag of each partition and what the broker says of a hold-up")
    func report() throws {
        let group = GroupDescription(
            id: "billing", type: .consumer, state: "Reconciling", epoch: 5, assignor: "uniform", coordinator: 2,
            note: "held up for 3 s by id-old (client old), who must give up partitions",
            members: [
                Self.member("old", assigned: [0, 1], target: [0]), Self.member("new", assigned: [], target: [1]),
            ])
        let committed = [TopicPartition("orders", 0): CommittedOffset(offset: 40, leaderEpoch: 1, metadata: "")]
        let ends: [TopicPartition: Int64?] = [TopicPartition("orders", 0): 100, TopicPartition("orders", 1): 7]
        let report = GroupReport(group, committed: committed, ends: ends)
        #expect(report.partitions.map(\.lag) == [60, nil])
        #expect(report.partitions.map(\.member) == ["id-old", "id-old"])
        #expect(report.members.map(\.toReceive) == [[], ["orders-1"]])
        #expect(report.text.contains("\nheld up for 3 s by id-old"))
        #expect(report.text.contains("orders          0         40  100   60  id-old"))
        #expect(try JSONOutput.line(report).contains(#""lag":60"#))
    }

    @Test(
        "a reset needs exactly one target",
        arguments: [
            [], ["--to-earliest", "--to-latest"], ["--to-offset", "5", "--shift-by", "1"], ["--to-offset", "-1"],
            ["--to-datetime", "yesterday"], ["--to-latest", "--topic", "orders:x"],
            ["--to-latest", "--dry-run", "--execute"],
        ])
    func badReset(arguments: [String]) {
        #expect(throws: (any Error).self) { try GroupResetOffsetsCommand.parse(["billing"] + arguments) }
    }

    @Test(
        "every target of a reset is read",
        arguments: [
            ["--to-earliest"], ["--to-latest", "--execute"], ["--to-offset", "5"],
            ["--to-datetime", "2026-11-01T00:00:00Z"], ["--shift-by", "-10"], ["--shift-by", "3", "--topic", "a:0,1"],
        ])
    func reset(arguments: [String]) throws {
        let command = try GroupResetOffsetsCommand.parse(["billing"] + arguments)
        #expect((command.mode == .execute) == arguments.contains("--execute"))
    }

    @Test("a reset stays within the partition, however far it is shifted")
    func bounds() {
        #expect(OffsetReset.clamped(5, 10, 20) == 10)
        #expect(OffsetReset.clamped(25, 10, 20) == 20)
        #expect(OffsetReset.clamped(15, 10, 20) == 15)
        #expect(OffsetReset.shifted(.max, by: 5) == .max)
        #expect(OffsetReset.shifted(-5, by: .min) == .min)
        #expect(OffsetReset.shifted(10, by: -3) == 7)
    }

    @Test("a topic with partitions is taken apart")
    func selection() throws {
        #expect(try TopicSelection("orders").partitions == nil)
        let some = try TopicSelection("orders:0,3")
        #expect(some.name == "orders")
        #expect(some.partitions == [0, 3])
        for bad in ["orders:", ":1", "orders:1,", "orders:-1"] {
            #expect(throws: (any Error).self) { try TopicSelection(bad) }
        }
    }

    @Test(
        "altering needs something to change, and nothing twice",
        arguments: [
            [], ["--partitions", "0"], ["--config", "novalue"], ["--config", "a=1", "--delete-config", "a"],
            ["--validate-only", "--partitions", "3"],
        ])
    func badAlter(arguments: [String]) {
        #expect(throws: (any Error).self) { try TopicAlterCommand.parse(["orders"] + arguments) }
    }
}
