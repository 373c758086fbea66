import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

@Suite struct ConsumerGroupCodecTests {
    private static let topicBytes = "0807060504030201 1817161514131211"
    private static let topic = TopicID(high: 0x0102_0304_0506_0708, low: 0x1112_1314_1516_1718)

    private static var heartbeat: ConsumerGroupHeartbeat {
        var heartbeat = ConsumerGroupHeartbeat(memberID: "m", memberEpoch: 0x0102_0304)
        heartbeat.instanceID = "i"
        heartbeat.rackID = "r"
        heartbeat.clientID = "c"
        heartbeat.clientHost = "h"
        heartbeat.rebalanceTimeout = 0x0506
        heartbeat.topicNames = ["a", "bc"]
        heartbeat.pattern = SubscribedPattern(regex: "x.", topicNames: ["xy"])
        heartbeat.assignor = .range
        heartbeat.owned = [TopicIDPartition(topic, 1), TopicIDPartition(topic, 2)]
        heartbeat.topics = SubscribedTopics(
            version: 9, topics: [SubscribedTopic(name: "a", id: topic, number: TopicNumber(0x0708), partitionCount: 3)],
            patterns: [SubscribedPattern(regex: "y", topicNames: [])])
        heartbeat.sizeMax = 200
        return heartbeat
    }

    /// Every kind of command with the bytes it must have for ever: they are in the logs of running clusters.
    static let golden: [(command: ConsumerGroupCommand, bytes: String)] = [
        (
            .heartbeat(heartbeat),
            """
            01 0100 6D 04030201 01 0100 69 01 0100 72 0100 63 0100 68 06050000 01 02000000 0100 61 0200 6263 \
            01 0200 782E 01000000 0200 7879 02 01 01000000 \(topicBytes) 02000000 01000000 02000000 \
            0900000000000000 01000000 0100 61 \(topicBytes) 08070000 03000000 01000000 0100 79 00000000 C8000000
            """
        ),
        (
            .heartbeat(ConsumerGroupHeartbeat(memberID: "m", memberEpoch: 1)),
            "01 0100 6D 01000000 00 00 0000 0000 FFFFFFFF 00 00 00 00 0000000000000000 00000000 00000000 FFFFFF7F"
        ),
        (
            .leave(ConsumerGroupLeave(memberID: "m", instanceID: "i", isTemporary: true)),
            "02 0100 6D 01 0100 69 01"
        ),
        (.leave(ConsumerGroupLeave(memberID: "m", instanceID: nil, isTemporary: false)), "02 0100 6D 00 00"),
        (.expire(memberID: "m", epoch: -2), "03 0100 6D FEFFFFFF"),
        (.topicsChanged(SubscribedTopics(version: 5)), "04 0500000000000000 00000000 00000000"),
        (.convert(SubscribedTopics(version: 5)), "05 0500000000000000 00000000 00000000"),
        (.revert, "06"),
        (
            .classicJoin(.known("m", instanceID: "i", protocols: ["p"]), SubscribedTopics(version: 5)),
            """
            07 0100 6D 01 0100 69 00 0600 636C69656E74 0400 686F7374 10270000 30750000 0800 636F6E73756D6572 64000000 \
            01000000 0100 70 09000000 0000 00000001 0001 74 0500000000000000 00000000 00000000
            """
        ),
        (.classicSync(memberID: "m", epoch: 3), "08 0100 6D 03000000"),
    ]

    private static func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex.utf8.filter { $0 != UInt8(ascii: " ") })
        return stride(from: 0, to: digits.count, by: 2).map { position in
            UInt8(String(decoding: digits[position..<position + 2], as: UTF8.self), radix: 16) ?? 0
        }
    }

    private static func decode(_ bytes: [UInt8]) throws(CommandError) -> ConsumerGroupCommand {
        try bytes.withUnsafeBytes { bytes in
            var reader = HeadReader(bytes)
            return Result { () throws(CommandError) in try ConsumerGroupCommand(from: &reader) }
        }.get()
    }

    private static func encode(_ command: ConsumerGroupCommand) -> [UInt8] {
        var buffer = ByteBuffer()
        command.write(to: &buffer)
        return Array(buffer.readableBytesView)
    }

    @Test(arguments: golden.indices) func `commands have the bytes that logs of running clusters have`(
        index: Int
    ) throws {
        let (command, hex) = Self.golden[index]
        #expect(Self.encode(command) == Self.bytes(hex))
        #expect(try Self.decode(Self.bytes(hex)) == command)
    }

    @Test(arguments: golden.indices) func `a command that is cut off anywhere is truncated`(index: Int) {
        let whole = Self.bytes(Self.golden[index].bytes)
        for length in 0..<whole.count {
            #expect(throws: CommandError.truncated) { try Self.decode(Array(whole[..<length])) }
        }
    }

    @Test(arguments: [0, 9, 255] as [UInt8]) func `an unknown kind is named`(kind: UInt8) {
        #expect(throws: CommandError.unknownKind(kind)) { try Self.decode([kind, 1, 2, 3]) }
    }

    @Test(arguments: 0..<20 as Range<UInt64>) func `no bytes at all trap the decoder`(seed: UInt64) throws {
        var random = RandomSource(seed: seed)
        for _ in 0..<200 {
            // A command with some bytes changed comes further than noise.
            var bytes = Self.bytes(Self.golden[Int.random(in: Self.golden.indices, using: &random)].bytes)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            guard let command = try? Self.decode(bytes) else { continue }
            // What the encoder sorts may come back in another order; from then on it is the same.
            let again = try Self.decode(Self.encode(command))
            #expect(try Self.decode(Self.encode(again)) == again)
        }
    }
}
