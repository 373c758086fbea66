import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

@Suite struct CommandCodecTests {
    private static let id = TopicID(high: 0x0102_0304_0506_0708, low: 0x1112_1314_1516_1718)
    private static let idBytes = "0807060504030201 1817161514131211"

    /// Every kind of command with the bytes it must have for ever: they are in the logs of running clusters.
    static let golden: [(command: Command, bytes: String)] = [
        (
            .produce(
                ProduceCommand(
                    partition: PartitionKey(TopicNumber(0x0A0B_0C0D), 0x0102_0304), recordCount: 3,
                    maxTimestamp: 0x0102_0304_0506_0708, producerID: 0x2122_2324_2526_2728, producerEpoch: 0x3132,
                    baseSequence: 0x4142_4344, proposedAt: 0x5152_5354_5556_5758)),
            "01 04030201 0D0C0B0A 03000000 0807060504030201 2827262524232221 3231 44434241 5857565554535251"
        ),
        (
            .createTopic(
                CreateTopicCommand(
                    name: "tö", id: id, partitionCount: 5, replicationFactor: 3,
                    configs: [.init(name: "a", value: "bc"), .init(name: "d", value: "")])),
            "02 0300 74C3B6 \(idBytes) 05000000 0300 0200 0100 61 0200 6263 0100 64 0000"
        ),
        (.deleteTopic(id), "03 \(idBytes)"),
        (.createPartitions(id, count: 0x0102_0304), "04 \(idBytes) 04030201"),
        (.allocateProducerID, "05"),
        (
            .registerBroker(BrokerRegistration(id: NodeID(7), host: "h", port: 9_092)),
            "06 07000000 0100 68 84230000 00"
        ),
        (
            .registerBroker(BrokerRegistration(id: NodeID(7), host: "h", port: 9_092, rack: "r1")),
            "06 07000000 0100 68 84230000 01 0200 7231"
        ),
        (.initializeCluster(id: "abc"), "07 0300 616263"),
        (.forgetTopic(TopicNumber(0x0102_0304)), "08 04030201"),
        (
            .deleteRecords(
                PartitionKey(TopicNumber(0x0A0B_0C0D), 0x0102_0304), before: Offset(0x1112_1314_1516_1718)),
            "0B 04030201 0D0C0B0A 1817161514131211"
        ),
        (
            .alterTopicConfigs(
                AlterTopicConfigsCommand(
                    topic: id, replacesAll: true,
                    changes: [
                        .init(name: "a", operation: .set, value: "bc"),
                        .init(name: "d", operation: .subtract, value: ""),
                    ])),
            "0C \(idBytes) 01 0200 00 0100 61 0200 6263 03 0100 64 0000"
        ),
    ] + groupCommands

    private static let groupBytes = "0A 0200 6731 5857565554535251"

    private static func group(_ action: GroupCommand.Action) -> Command {
        .group(GroupCommand("g1", at: 0x5152_5354_5556_5758, action))
    }

    private static let groupCommands: [(command: Command, bytes: String)] = [
        (
            group(
                .commitOffsets(
                    OffsetCommit(
                        member: GroupMemberIdentity("m", instanceID: "i"), generation: 0x0102_0304, expiresAt: -1,
                        offsets: [
                            .init(
                                partition: PartitionKey(TopicNumber(0x0A0B_0C0D), 0x0102_0304),
                                offset: 0x0102_0304_0506_0708, leaderEpoch: 5, metadata: "hi")
                        ]))),
            "\(groupBytes) 01 0100 6D 01 0100 69 04030201 FFFFFFFFFFFFFFFF 01000000 "
                + "04030201 0D0C0B0A 0807060504030201 05000000 0200 6869"
        ),
        (
            group(.deleteOffsets([PartitionKey(TopicNumber(2), 1)])),
            "\(groupBytes) 02 01000000 01000000 02000000"
        ),
        (group(.expireOffsets(retention: 0x0102_0304_0506_0708)), "\(groupBytes) 03 0807060504030201"),
        (group(.delete), "\(groupBytes) 04"),
        (
            group(
                .classic(
                    .join(
                        ClassicJoin(
                            member: GroupMemberIdentity("m"), isNew: true, clientID: "c", clientHost: "h",
                            sessionTimeout: 0x0102_0304, rebalanceTimeout: 0x0506_0708, protocolType: "t",
                            protocols: [.init(name: "p", metadata: ByteBuffer(bytes: [0xAA, 0xBB]))], sizeMax: 9)))),
            "\(groupBytes) 05 0100 6D 00 01 0100 63 0100 68 04030201 08070605 0100 74 09000000 "
                + "01000000 0100 70 02000000 AABB"
        ),
        (group(.classic(.completeJoin(generation: 0x0102_0304))), "\(groupBytes) 06 04030201"),
        (
            group(
                .classic(
                    .sync(
                        ClassicSync(
                            memberID: "m", generation: 0x0102_0304,
                            assignments: [.init(memberID: "n", assignment: ByteBuffer(bytes: [0xCC]))])))),
            "\(groupBytes) 07 0100 6D 04030201 01000000 0100 6E 01000000 CC"
        ),
        (group(.consumer(.expire(memberID: "m", epoch: 7))), "\(groupBytes) 09 03 0100 6D 07000000"),
        (group(.classic(.remove(memberIDs: ["m", ""]))), "\(groupBytes) 08 02000000 0100 6D 0000"),
    ]

    private static func bytes(_ hex: String) -> ByteBuffer {
        let digits = Array(hex.utf8.filter { $0 != UInt8(ascii: " ") })
        return ByteBuffer(
            bytes: stride(from: 0, to: digits.count, by: 2).map { position in
                UInt8(String(decoding: digits[position..<position + 2], as: UTF8.self), radix: 16) ?? 0
            })
    }

    @Test(arguments: golden.indices) func `commands have the bytes that logs of running clusters have`(
        index: Int
    ) throws {
        let (command, hex) = Self.golden[index]
        #expect(command.encoded() == Self.bytes(hex))
        #expect(try Command.decode(Self.bytes(hex)) == command)
    }

    @Test(arguments: golden.indices) func `a command that is cut off anywhere is truncated`(index: Int) {
        let whole = Self.bytes(Self.golden[index].bytes)
        for length in 0..<whole.readableBytes {
            let cut = whole.getSlice(at: 0, length: length) ?? ByteBuffer()
            #expect(throws: CommandError.truncated) { try Command.decode(cut) }
        }
    }

    @Test(arguments: [0, 200, 255] as [UInt8]) func `an unknown kind is named`(kind: UInt8) {
        #expect(throws: CommandError.unknownKind(kind)) { try Command.decode(ByteBuffer(bytes: [kind, 1, 2, 3])) }
    }

    @Test func `an alteration that does something unknown is named`() {
        let bytes = Self.bytes("0C \(Self.idBytes) 00 0100 04 0100 61 0000")
        #expect(throws: CommandError.unknownOperation(4)) { try Command.decode(bytes) }
    }

    @Test(arguments: 0..<50 as Range<UInt64>) func `no bytes at all trap the decoder`(seed: UInt64) throws {
        var random = RandomSource(seed: seed)
        var decoded = 0
        for _ in 0..<200 {
            var bytes = (0..<Int.random(in: 0...80, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            if !bytes.isEmpty { bytes[0] = UInt8.random(in: 0...12, using: &random) }
            // What decodes is a command like any other: encoding it again gives a command that is equal.
            guard let command = try? Command.decode(ByteBuffer(bytes: bytes)) else { continue }
            decoded += 1
            #expect(try Command.decode(command.encoded()) == command)
        }
        #expect(decoded > 0)
    }
}
