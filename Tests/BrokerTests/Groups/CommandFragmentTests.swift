import Basics
import KafkaWire
import NIOCore
import Testing

@testable import Broker

/// Commands that are larger than one log entry's head.
@Suite struct CommandFragmentTests {
    private static let command = Command.group(
        GroupCommand("g", at: 0, .classic(.join(.sample("a", metadata: String(repeating: "x", count: 1_000))))))

    @Test(arguments: [20, 100, 1_000, 65_535])
    func `a command comes together from its fragments`(headBytes: Int) throws {
        let whole = Self.command.encoded()
        let heads = CommandFragment.heads(of: whole, headBytesMax: headBytes)
        #expect(heads.allSatisfy { $0.readableBytes <= headBytes })
        #expect((heads.count == 1) == (whole.readableBytes <= headBytes))
        let machine = TopicsFSM(shard: ShardID(1))
        var log = CommandLog()
        var results: [CommandResult] = []
        for head in heads { results.append(log.apply(try Command.decode(head), to: machine)) }
        #expect(results.dropLast().allSatisfy { $0 == .none })
        #expect(results.last == .joinedGroup(ClassicJoinOutcome(generation: 0, isUnchanged: false)))
        #expect(machine.groups["g"]?.hasMembers == true)
    }

    @Test func `what an earlier leader left unfinished never happens`() throws {
        let heads = CommandFragment.heads(of: Self.command.encoded(), headBytesMax: 300)
        let commands = try heads.map { try Command.decode($0) }
        #expect(commands.count > 2)
        let other = Command.group(
            GroupCommand("h", at: 0, .commitOffsets(.sample(PartitionKey(TopicNumber(1), 0), 1))))
        let sequences: [[Command]] = [
            Array(commands.dropLast()) + [other],
            Array(commands.dropLast()) + [other] + commands.suffix(1),
            Array(commands.dropFirst()),
            [commands[0]] + commands.dropFirst(2),
        ]
        for sequence in sequences {
            let machine = TopicsFSM(shard: ShardID(1))
            var log = CommandLog()
            for command in sequence { #expect(log.apply(command, to: machine) == .none) }
            #expect(machine.groups["g"] == nil)
            for command in commands { _ = log.apply(command, to: machine) }
            #expect(machine.groups["g"]?.hasMembers == true, "a later one is not disturbed")
        }
    }

    @Test func `fragments beyond the bound are let go`() {
        var assembly = CommandAssembly()
        let piece = ByteBuffer(repeating: 1, count: 60_000)
        var largest = 0
        for position in 0..<UInt16(200) {
            #expect(assembly.add(CommandFragment(position: position, count: 200, bytes: piece)) == nil)
            largest = max(largest, assembly.bytes.readableBytes)
        }
        #expect(largest > 0 && largest <= CommandFragment.commandBytesMax)
    }

    @Test func `a fragment is decoded as it was encoded`() throws {
        let fragment = Command.fragment(
            CommandFragment(position: 0x0102, count: 0x0304, bytes: ByteBuffer(bytes: [7, 8])))
        #expect(fragment.encoded() == ByteBuffer(bytes: [9, 2, 1, 4, 3, 7, 8]))
        #expect(try Command.decode(fragment.encoded()) == fragment)
        #expect(throws: CommandError.truncated) { try Command.decode(ByteBuffer(bytes: [9, 2, 1, 4])) }
    }
}
