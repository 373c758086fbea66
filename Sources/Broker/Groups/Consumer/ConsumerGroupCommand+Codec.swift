import KafkaWire
import NIOCore

/// The bytes of a command of the new group protocol, all integers little-endian. The first byte is the kind.
///
/// | kind | command | fields after the kind |
/// |---|---|---|
/// | 1 | heartbeat | a heartbeat, below |
/// | 2 | leave | member id string, instance id string?, is temporary 1 |
/// | 3 | expire | member id string, epoch 4 |
/// | 4 | topics changed | topics, below |
/// | 5 | convert | topics |
/// | 6 | revert | – |
/// | 7 | classic join | the fields of `GroupCommand`'s, topics |
/// | 8 | classic sync | member id string, epoch 4 |
///
/// A string is its length in UTF-8 bytes (2) and the bytes. What is marked with ? begins with a byte that is 0 if it is
/// missing and 1 if it follows. A list is its count (4) and its elements.
///
/// | | fields |
/// |---|---|
/// | heartbeat | member id string, member epoch 4, instance id string?, rack id string?, client id string, |
/// | | client host string, rebalance timeout 4, list of topic names? (strings), pattern?, |
/// | | assignor 1 (0 none, 1 uniform, 2 range), list of owned?, topics, size max 4 |
/// | owned | topic id 16, list of partitions (4) |
/// | topics | version 8, list of topics, list of patterns |
/// | topic | name string, topic id 16, topic number 4, partition count 4 |
/// | pattern | regular expression string, list of topic names (strings) |
///
/// Kinds are never reused.
extension ConsumerGroupCommand {
    private enum Kind: UInt8 {
        case heartbeat = 1
        case leave, expire, topicsChanged, convert, revert, classicJoin, classicSync
    }

    func write(to buffer: inout ByteBuffer) {
        switch self {
        case .heartbeat(let heartbeat):
            buffer.writeInteger(Kind.heartbeat.rawValue)
            heartbeat.write(to: &buffer)
        case .leave(let leave):
            buffer.writeInteger(Kind.leave.rawValue)
            buffer.writeShortString(leave.memberID)
            buffer.writeOptional(leave.instanceID) { $0.writeShortString($1) }
            buffer.writeInteger(UInt8(leave.isTemporary ? 1 : 0))
        case .expire(let memberID, let epoch):
            buffer.writeInteger(Kind.expire.rawValue)
            buffer.writeShortString(memberID)
            buffer.writeInteger(epoch, endianness: .little)
        case .topicsChanged(let topics):
            buffer.writeInteger(Kind.topicsChanged.rawValue)
            topics.write(to: &buffer)
        case .convert(let topics):
            buffer.writeInteger(Kind.convert.rawValue)
            topics.write(to: &buffer)
        case .revert:
            buffer.writeInteger(Kind.revert.rawValue)
        case .classicJoin(let join, let topics):
            buffer.writeInteger(Kind.classicJoin.rawValue)
            join.write(to: &buffer)
            topics.write(to: &buffer)
        case .classicSync(let memberID, let epoch):
            buffer.writeInteger(Kind.classicSync.rawValue)
            buffer.writeShortString(memberID)
            buffer.writeInteger(epoch, endianness: .little)
        }
    }

    init(from reader: inout HeadReader) throws(CommandError) {
        let rawKind: UInt8 = try reader.integer()
        guard let kind = Kind(rawValue: rawKind) else { throw .unknownKind(rawKind) }
        switch kind {
        case .heartbeat: self = .heartbeat(try ConsumerGroupHeartbeat(from: &reader))
        case .leave:
            let memberID = try reader.string(), instanceID = try reader.optionalString()
            self = .leave(
                ConsumerGroupLeave(memberID: memberID, instanceID: instanceID, isTemporary: try reader.flag()))
        case .expire: self = .expire(memberID: try reader.string(), epoch: try reader.integer())
        case .topicsChanged: self = .topicsChanged(try SubscribedTopics(from: &reader))
        case .convert: self = .convert(try SubscribedTopics(from: &reader))
        case .revert: self = .revert
        case .classicJoin: self = .classicJoin(try ClassicJoin(&reader), try SubscribedTopics(from: &reader))
        case .classicSync: self = .classicSync(memberID: try reader.string(), epoch: try reader.integer())
        }
    }
}

extension ConsumerGroupHeartbeat {
    fileprivate func write(to buffer: inout ByteBuffer) {
        buffer.writeShortString(memberID)
        buffer.writeInteger(memberEpoch, endianness: .little)
        buffer.writeOptional(instanceID) { $0.writeShortString($1) }
        buffer.writeOptional(rackID) { $0.writeShortString($1) }
        buffer.writeShortString(clientID)
        buffer.writeShortString(clientHost)
        buffer.writeInteger(rebalanceTimeout, endianness: .little)
        buffer.writeOptional(topicNames) { $0.writeList($1) { $0.writeShortString($1) } }
        buffer.writeOptional(pattern) { $1.write(to: &$0) }
        buffer.writeInteger(assignor?.rawValue ?? 0)
        buffer.writeOptional(owned?.byTopic) { buffer, topics in
            buffer.writeList(topics) { buffer, owned in
                buffer.writeTopicID(owned.topic)
                buffer.writeList(owned.partitions) { $0.writeInteger($1, endianness: .little) }
            }
        }
        topics.write(to: &buffer)
        buffer.writeInteger(sizeMax, endianness: .little)
    }

    fileprivate init(from reader: inout HeadReader) throws(CommandError) {
        self.init(memberID: try reader.string(), memberEpoch: try reader.integer())
        instanceID = try reader.optionalString()
        rackID = try reader.optionalString()
        clientID = try reader.string()
        clientHost = try reader.string()
        rebalanceTimeout = try reader.integer()
        if try reader.flag() { topicNames = try reader.strings() }
        if try reader.flag() { pattern = try SubscribedPattern(from: &reader) }
        assignor = try Self.assignor(&reader)
        if try reader.flag() { owned = try Self.owned(&reader) }
        topics = try SubscribedTopics(from: &reader)
        sizeMax = try reader.integer()
    }

    private static func assignor(_ reader: inout HeadReader) throws(CommandError) -> ServerAssignor? {
        let number: UInt8 = try reader.integer()
        if number == 0 { return nil }
        guard let known = ServerAssignor(rawValue: number) else { throw .unknownKind(number) }
        return known
    }

    private static func owned(_ reader: inout HeadReader) throws(CommandError) -> [TopicIDPartition] {
        try reader.list { (r) throws(CommandError) in
            let topic = try r.topicID()
            return try r.list { (r) throws(CommandError) in TopicIDPartition(topic, try r.integer()) }
        }.flatMap { $0 }
    }
}

extension SubscribedPattern {
    fileprivate func write(to buffer: inout ByteBuffer) {
        buffer.writeShortString(regex)
        buffer.writeList(topicNames) { $0.writeShortString($1) }
    }

    fileprivate init(from reader: inout HeadReader) throws(CommandError) {
        self.init(regex: try reader.string(), topicNames: try reader.strings())
    }
}

extension SubscribedTopics {
    fileprivate func write(to buffer: inout ByteBuffer) {
        buffer.writeInteger(version, endianness: .little)
        buffer.writeList(topics) { buffer, topic in
            buffer.writeShortString(topic.name)
            buffer.writeTopicID(topic.id)
            buffer.writeMultipleIntegers(topic.number.rawValue, topic.partitionCount, endianness: .little)
        }
        buffer.writeList(patterns) { $1.write(to: &$0) }
    }

    fileprivate init(from reader: inout HeadReader) throws(CommandError) {
        version = try reader.integer()
        topics = try reader.list { (r) throws(CommandError) in
            SubscribedTopic(
                name: try r.string(), id: try r.topicID(), number: TopicNumber(try r.integer()),
                partitionCount: try r.integer())
        }
        patterns = try reader.list { (r) throws(CommandError) in try SubscribedPattern(from: &r) }
    }
}

extension ByteBuffer {
    fileprivate mutating func writeOptional<Value>(_ value: Value?, _ write: (inout ByteBuffer, Value) -> Void) {
        writeInteger(UInt8(value == nil ? 0 : 1))
        if let value { write(&self, value) }
    }
}

extension HeadReader {
    fileprivate mutating func optionalString() throws(CommandError) -> String? { try flag() ? try string() : nil }

    fileprivate mutating func strings() throws(CommandError) -> [String] {
        try list { (r) throws(CommandError) in try r.string() }
    }
}
