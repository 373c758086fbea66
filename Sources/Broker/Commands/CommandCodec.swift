import Basics
import KafkaWire
import NIOCore

/// Bytes in the log that are no command of this version. The log's checksums were right, so a newer Martlet wrote it.
public enum CommandError: Error, Hashable, Sendable {
    case unknownKind(UInt8)
    /// Something that a command of a known kind does not do in this version.
    case unknownOperation(UInt8)
    case truncated
}

/// The bytes of a command, all integers little-endian. The first byte is the kind.
///
/// | kind | command | fields after the kind |
/// |---|---|---|
/// | 1 | produce | partition 8, records 4, max timestamp 8, producer id 8, epoch 2, base sequence 4, proposed at 8 |
/// | 2 | create topic | name string, topic id 16, partitions 4, replication factor 2, configs 2, each: two strings |
/// | 3 | delete topic | topic id 16 |
/// | 4 | create partitions | topic id 16, count 4 |
/// | 5 | allocate producer id | – |
/// | 6 | register broker | node id 4, host string, port 4, has rack 1, rack string |
/// | 7 | initialize cluster | id string |
/// | 8 | forget topic | topic number 4 |
/// | 9 | fragment | position 2, count 2, the rest of the head is a piece of another command |
/// | 10 | group | see `GroupCommand` |
/// | 11 | delete records | partition 8, offset 8 |
/// | 12 | alter topic configs | topic id 16, replaces all 1, changes 2, each: operation 1, two strings |
///
/// A partition is its topic's number in the high half and its own in the low one. A string is its length in UTF-8 bytes
/// (2) and the bytes. Kinds are never reused.
extension Command {
    private enum Kind: UInt8 {
        case produce = 1
        case createTopic, deleteTopic, createPartitions, allocateProducerID, registerBroker, initializeCluster,
            forgetTopic, fragment, group, deleteRecords, alterTopicConfigs
    }

    public func encoded() -> ByteBuffer {
        var buffer = ByteBuffer()
        write(to: &buffer)
        return buffer
    }

    public func write(to buffer: inout ByteBuffer) {
        switch self {
        case .produce(let command):
            command.write(to: &buffer, kind: Kind.produce.rawValue)
        case .createTopic(let command):
            buffer.writeInteger(Kind.createTopic.rawValue)
            buffer.writeShortString(command.name)
            buffer.writeTopicID(command.id)
            buffer.writeMultipleIntegers(
                command.partitionCount, command.replicationFactor, UInt16(command.configs.count), endianness: .little)
            for config in command.configs {
                buffer.writeShortString(config.name)
                buffer.writeShortString(config.value)
            }
        case .deleteTopic(let id):
            buffer.writeInteger(Kind.deleteTopic.rawValue)
            buffer.writeTopicID(id)
        case .createPartitions(let id, let count):
            buffer.writeInteger(Kind.createPartitions.rawValue)
            buffer.writeTopicID(id)
            buffer.writeInteger(count, endianness: .little)
        case .allocateProducerID:
            buffer.writeInteger(Kind.allocateProducerID.rawValue)
        case .registerBroker(let broker):
            buffer.writeInteger(Kind.registerBroker.rawValue)
            buffer.writeInteger(broker.id.rawValue, endianness: .little)
            buffer.writeShortString(broker.host)
            buffer.writeInteger(broker.port, endianness: .little)
            buffer.writeInteger(UInt8(broker.rack == nil ? 0 : 1))
            if let rack = broker.rack { buffer.writeShortString(rack) }
        case .initializeCluster(let id):
            buffer.writeInteger(Kind.initializeCluster.rawValue)
            buffer.writeShortString(id)
        case .forgetTopic(let number):
            buffer.writeInteger(Kind.forgetTopic.rawValue)
            buffer.writeInteger(number.rawValue, endianness: .little)
        case .deleteRecords(let partition, let offset):
            buffer.writeMultipleIntegers(
                Kind.deleteRecords.rawValue, partition.rawValue, offset.rawValue, endianness: .little)
        case .alterTopicConfigs(let command):
            buffer.writeInteger(Kind.alterTopicConfigs.rawValue)
            command.write(to: &buffer)
        case .fragment(let fragment):
            buffer.writeMultipleIntegers(
                Kind.fragment.rawValue, fragment.position, fragment.count, endianness: .little)
            buffer.writeImmutableBuffer(fragment.bytes)
        case .group(let command):
            buffer.writeInteger(Kind.group.rawValue)
            command.write(to: &buffer)
        }
    }

    /// Decodes the head of a log entry.
    public static func decode(_ head: ByteBuffer) throws(CommandError) -> Command {
        let result = head.withUnsafeReadableBytes { bytes in
            Result { () throws(CommandError) in try decode(bytes) }
        }
        return try result.get()
    }

    static func decode(_ head: UnsafeRawBufferPointer) throws(CommandError) -> Command {
        var reader = HeadReader(head)
        let rawKind: UInt8 = try reader.integer()
        guard let kind = Kind(rawValue: rawKind) else { throw .unknownKind(rawKind) }
        switch kind {
        case .produce:
            return .produce(try ProduceCommand(&reader))
        case .createTopic:
            return .createTopic(try CreateTopicCommand(&reader))
        case .deleteTopic:
            return .deleteTopic(try reader.topicID())
        case .createPartitions:
            return .createPartitions(try reader.topicID(), count: try reader.integer())
        case .allocateProducerID:
            return .allocateProducerID
        case .registerBroker:
            let id = NodeID(try reader.integer()), host = try reader.string(), port: Int32 = try reader.integer()
            let hasRack: UInt8 = try reader.integer()
            return .registerBroker(
                BrokerRegistration(id: id, host: host, port: port, rack: hasRack == 0 ? nil : try reader.string()))
        case .initializeCluster:
            return .initializeCluster(id: try reader.string())
        case .forgetTopic:
            return .forgetTopic(TopicNumber(try reader.integer()))
        case .deleteRecords:
            return .deleteRecords(
                PartitionKey(rawValue: try reader.integer()), before: Offset(try reader.integer()))
        case .alterTopicConfigs:
            return .alterTopicConfigs(try AlterTopicConfigsCommand(&reader))
        case .fragment:
            return .fragment(
                CommandFragment(position: try reader.integer(), count: try reader.integer(), bytes: reader.rest()))
        case .group:
            return .group(try GroupCommand(&reader))
        }
    }
}

extension ProduceCommand {
    fileprivate func write(to buffer: inout ByteBuffer, kind: UInt8) {
        buffer.writeMultipleIntegers(
            kind, partition.rawValue, recordCount, maxTimestamp, producerID, producerEpoch, baseSequence, proposedAt,
            endianness: .little)
    }

    fileprivate init(_ reader: inout HeadReader) throws(CommandError) {
        partition = PartitionKey(rawValue: try reader.integer())
        recordCount = try reader.integer()
        maxTimestamp = try reader.integer()
        producerID = try reader.integer()
        producerEpoch = try reader.integer()
        baseSequence = try reader.integer()
        proposedAt = try reader.integer()
    }
}

extension CreateTopicCommand {
    fileprivate init(_ reader: inout HeadReader) throws(CommandError) {
        name = try reader.string()
        id = try reader.topicID()
        partitionCount = try reader.integer()
        replicationFactor = try reader.integer()
        let count: UInt16 = try reader.integer()
        configs = []
        for _ in 0..<count {
            configs.append(ConfigEntry(name: try reader.string(), value: try reader.string()))
        }
    }
}

extension AlterTopicConfigsCommand {
    fileprivate func write(to buffer: inout ByteBuffer) {
        buffer.writeTopicID(topic)
        buffer.writeMultipleIntegers(UInt8(replacesAll ? 1 : 0), UInt16(changes.count), endianness: .little)
        for change in changes {
            buffer.writeInteger(change.operation.rawValue)
            buffer.writeShortString(change.name)
            buffer.writeShortString(change.value)
        }
    }

    fileprivate init(_ reader: inout HeadReader) throws(CommandError) {
        topic = try reader.topicID()
        let replaces: UInt8 = try reader.integer()
        replacesAll = replaces != 0
        let count: UInt16 = try reader.integer()
        changes = []
        for _ in 0..<count {
            let rawOperation: UInt8 = try reader.integer()
            guard let operation = Operation(rawValue: rawOperation) else { throw .unknownOperation(rawOperation) }
            changes.append(Change(name: try reader.string(), operation: operation, value: try reader.string()))
        }
    }
}

extension ByteBuffer {
    /// A string of at most 65,535 bytes behind its length of 2.
    mutating func writeShortString(_ string: String) {
        let length = string.utf8.count
        invariant(length <= UInt16.max, "a string in a command is at most 65,535 bytes, this one has \(length)")
        writeInteger(UInt16(length), endianness: .little)
        writeString(string)
    }

    mutating func writeTopicID(_ id: TopicID) {
        writeMultipleIntegers(id.high, id.low, endianness: .little)
    }
}

/// Walks the head of one entry; every step is checked against the end.
struct HeadReader {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func integer<T: FixedWidthInteger>() throws(CommandError) -> T {
        guard bytes.count - position >= MemoryLayout<T>.size else { throw .truncated }
        let value = bytes.loadUnaligned(fromByteOffset: position, as: T.self)
        position += MemoryLayout<T>.size
        return T(littleEndian: value)
    }

    mutating func string() throws(CommandError) -> String {
        let length: UInt16 = try integer()
        guard bytes.count - position >= Int(length) else { throw .truncated }
        let slice = UnsafeRawBufferPointer(rebasing: bytes[position..<position + Int(length)])
        position += Int(length)
        return String(decoding: slice, as: UTF8.self)
    }

    /// Bytes behind their length of 4.
    mutating func longBytes() throws(CommandError) -> ByteBuffer {
        let length: UInt32 = try integer()
        guard bytes.count - position >= Int(length) else { throw .truncated }
        defer { position += Int(length) }
        return ByteBuffer(bytes: bytes[position..<position + Int(length)])
    }

    /// All that is left.
    mutating func rest() -> ByteBuffer {
        defer { position = bytes.count }
        return ByteBuffer(bytes: bytes[position...])
    }

    mutating func topicID() throws(CommandError) -> TopicID {
        let high: UInt64 = try integer()
        return TopicID(high: high, low: try integer())
    }
}
