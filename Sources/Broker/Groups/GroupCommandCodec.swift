import Basics
import NIOCore

/// The bytes of a group command, which follow the kind 10 in an entry's head. All integers little-endian.
///
///     group string, proposed at 8, action 1, the action's fields
///
/// | action | | fields |
/// |---|---|---|
/// | 1 | commit offsets | member, generation 4, expires at 8, count 4, each: *offset* |
/// | 2 | delete offsets | count 4, each: partition 8 |
/// | 3 | expire offsets | retention 8 |
/// | 4 | delete the group | – |
/// | 5 | classic join | *join*, count 4, each: name string, metadata bytes |
/// | 6 | classic complete join | generation 4 |
/// | 7 | classic sync | member id string, generation 4, count 4, each: member id string, assignment bytes |
/// | 8 | classic remove | count 4, each: member id string |
/// | 9 | consumer | see `ConsumerGroupCommand` |
///
/// An offset: partition 8, offset 8, leader epoch 4, metadata string. A join: member, is new 1, client id string,
/// client host string, session timeout 4, rebalance timeout 4, protocol type string, most members 4.
///
/// A string is its length in UTF-8 bytes (2) and the bytes; bytes are their length (4) and themselves. A member is: id
/// string, 1 if an instance id follows else 0, instance id string. Actions are never reused.
extension GroupCommand {
    private enum ActionCode: UInt8 {
        case commitOffsets = 1
        case deleteOffsets, expireOffsets, delete, join, completeJoin, sync, remove, consumer
    }

    func write(to buffer: inout ByteBuffer) {
        buffer.writeShortString(groupID)
        buffer.writeInteger(proposedAt, endianness: .little)
        switch action {
        case .commitOffsets(let commit):
            buffer.writeInteger(ActionCode.commitOffsets.rawValue)
            commit.write(to: &buffer)
        case .deleteOffsets(let partitions):
            buffer.writeInteger(ActionCode.deleteOffsets.rawValue)
            buffer.writeList(partitions) { $0.writeInteger($1.rawValue, endianness: .little) }
        case .expireOffsets(let retention):
            buffer.writeMultipleIntegers(ActionCode.expireOffsets.rawValue, retention, endianness: .little)
        case .delete:
            buffer.writeInteger(ActionCode.delete.rawValue)
        case .classic(.join(let join)):
            buffer.writeInteger(ActionCode.join.rawValue)
            join.write(to: &buffer)
        case .classic(.completeJoin(let generation)):
            buffer.writeMultipleIntegers(ActionCode.completeJoin.rawValue, generation, endianness: .little)
        case .classic(.sync(let sync)):
            buffer.writeInteger(ActionCode.sync.rawValue)
            sync.write(to: &buffer)
        case .classic(.remove(let memberIDs)):
            buffer.writeInteger(ActionCode.remove.rawValue)
            buffer.writeList(memberIDs) { $0.writeShortString($1) }
        case .consumer(let command):
            buffer.writeInteger(ActionCode.consumer.rawValue)
            command.write(to: &buffer)
        }
    }

    init(_ reader: inout HeadReader) throws(CommandError) {
        groupID = try reader.string()
        proposedAt = try reader.integer()
        let code: UInt8 = try reader.integer()
        switch ActionCode(rawValue: code) {
        case .commitOffsets: action = .commitOffsets(try OffsetCommit(&reader))
        case .deleteOffsets:
            action = .deleteOffsets(
                try reader.list { (r) throws(CommandError) in PartitionKey(rawValue: try r.integer()) })
        case .expireOffsets: action = .expireOffsets(retention: try reader.integer())
        case .delete: action = .delete
        case .join: action = .classic(.join(try ClassicJoin(&reader)))
        case .completeJoin: action = .classic(.completeJoin(generation: try reader.integer()))
        case .sync: action = .classic(.sync(try ClassicSync(&reader)))
        case .remove:
            action = .classic(.remove(memberIDs: try reader.list { (r) throws(CommandError) in try r.string() }))
        case .consumer: action = .consumer(try ConsumerGroupCommand(from: &reader))
        case nil: throw .unknownOperation(code)
        }
    }
}

extension OffsetCommit {
    fileprivate func write(to buffer: inout ByteBuffer) {
        buffer.writeMember(member)
        buffer.writeMultipleIntegers(generation, expiresAt, endianness: .little)
        buffer.writeList(offsets) { buffer, entry in
            buffer.writeMultipleIntegers(
                entry.partition.rawValue, entry.offset, entry.leaderEpoch, endianness: .little)
            buffer.writeShortString(entry.metadata)
        }
    }

    fileprivate init(_ reader: inout HeadReader) throws(CommandError) {
        member = try reader.member()
        generation = try reader.integer()
        expiresAt = try reader.integer()
        offsets = try reader.list { (r) throws(CommandError) in
            Entry(
                partition: PartitionKey(rawValue: try r.integer()), offset: try r.integer(),
                leaderEpoch: try r.integer(), metadata: try r.string())
        }
    }
}

extension ClassicJoin {
    func write(to buffer: inout ByteBuffer) {
        buffer.writeMember(member)
        buffer.writeInteger(UInt8(isNew ? 1 : 0))
        buffer.writeShortString(clientID)
        buffer.writeShortString(clientHost)
        buffer.writeMultipleIntegers(sessionTimeout, rebalanceTimeout, endianness: .little)
        buffer.writeShortString(protocolType)
        buffer.writeInteger(sizeMax, endianness: .little)
        buffer.writeList(protocols) { buffer, supported in
            buffer.writeShortString(supported.name)
            buffer.writeLongBytes(supported.metadata)
        }
    }

    init(_ reader: inout HeadReader) throws(CommandError) {
        member = try reader.member()
        isNew = try reader.flag()
        clientID = try reader.string()
        clientHost = try reader.string()
        sessionTimeout = try reader.integer()
        rebalanceTimeout = try reader.integer()
        protocolType = try reader.string()
        sizeMax = try reader.integer()
        protocols = try reader.list { (r) throws(CommandError) in
            SupportedProtocol(name: try r.string(), metadata: try r.longBytes())
        }
    }
}

extension ClassicSync {
    fileprivate func write(to buffer: inout ByteBuffer) {
        buffer.writeShortString(memberID)
        buffer.writeInteger(generation, endianness: .little)
        buffer.writeList(assignments) { buffer, entry in
            buffer.writeShortString(entry.memberID)
            buffer.writeLongBytes(entry.assignment)
        }
    }

    fileprivate init(_ reader: inout HeadReader) throws(CommandError) {
        memberID = try reader.string()
        generation = try reader.integer()
        assignments = try reader.list { (r) throws(CommandError) in
            Assignment(memberID: try r.string(), assignment: try r.longBytes())
        }
    }
}

extension ByteBuffer {
    mutating func writeList<Element>(_ elements: [Element], _ write: (inout ByteBuffer, Element) -> Void) {
        writeInteger(UInt32(elements.count), endianness: .little)
        for element in elements { write(&self, element) }
    }

    mutating func writeLongBytes(_ bytes: ByteBuffer) {
        writeInteger(UInt32(bytes.readableBytes), endianness: .little)
        writeImmutableBuffer(bytes)
    }

    mutating func writeMember(_ member: GroupMemberIdentity) {
        writeShortString(member.memberID)
        writeInteger(UInt8(member.instanceID == nil ? 0 : 1))
        if let instanceID = member.instanceID { writeShortString(instanceID) }
    }
}

extension HeadReader {
    mutating func flag() throws(CommandError) -> Bool {
        let byte: UInt8 = try integer()
        return byte != 0
    }

    /// Elements behind their number. Each takes at least a byte, so a wrong number ends in `truncated` before it costs
    /// more memory than the command.
    mutating func list<Element>(
        _ element: (inout HeadReader) throws(CommandError) -> Element
    ) throws(CommandError) -> [Element] {
        let count: UInt32 = try integer()
        var elements: [Element] = []
        for _ in 0..<count { elements.append(try element(&self)) }
        return elements
    }

    mutating func member() throws(CommandError) -> GroupMemberIdentity {
        let memberID = try string()
        return GroupMemberIdentity(memberID, instanceID: try flag() ? try string() : nil)
    }
}
