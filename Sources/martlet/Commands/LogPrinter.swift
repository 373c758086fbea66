import Basics
import Broker
import Foundation
import SegmentLog

/// Prints a log for people, or as JSON for programs: one object a line.
struct LogPrinter {
    let json: Bool
    let entries: Bool

    func begin(_ shard: ShardID, _ path: String) {
        if !json { Swift.print("shard \(shard) in \(path)") }
    }

    func print(_ item: LogInspector.Item) {
        switch item {
        case .state(let record, let watermark, let first):
            emit("state", [("term", record.term), ("vote", record.vote.map { "\($0)" } ?? "none"),
                ("flushWatermark", watermark.rawValue), ("firstSegment", first.rawValue)])
        case .segment(let name, let base, let bytes):
            emit("segment", [("file", name), ("base", base.rawValue), ("bytes", bytes)])
        case .block(let position, let heads):
            let header = heads.header
            emit("block", [("position", position), ("base", header.base.rawValue), ("last", header.last.rawValue),
                ("term", header.term.rawValue), ("codec", "\(header.codec)"), ("raw", header.rawLength),
                ("stored", header.storedLength), ("crc", hex(header.payloadChecksum))], indent: 1)
            if entries { for entry in heads.entries { print(entry) } }
        case .end(let position, let reason):
            emit("end", [("position", position), ("reason", reason)], indent: 1)
        case .sidecar(let name, let blocks, let isValid):
            emit("sidecar", [("file", name), ("blocks", blocks), ("valid", isValid)])
        case .offsets(let name, let bytes, let isValid):
            emit("offsets", [("file", name), ("bytes", bytes), ("valid", isValid)])
        case .other(let name, let bytes):
            emit("file", [("file", name), ("bytes", bytes)])
        }
    }

    private func print(_ entry: EntryView) {
        var fields: [(String, Any)] = [("index", entry.index.rawValue), ("type", "\(entry.type)")]
        if entry.type == .command {
            switch Result(catching: { try Command.decode(entry.head) }) {
            case .success(let command): fields.append(("command", describe(command)))
            case .failure(let error): fields.append(("command", "unreadable: \(error)"))
            }
        }
        fields.append(("payload", entry.payloadRange.count))
        emit("entry", fields, indent: 2)
    }

    private func describe(_ command: Command) -> String {
        switch command {
        case .produce(let batch):
            "produce partition=\(batch.partition) records=\(batch.recordCount) producer=\(batch.producerID) "
                + "epoch=\(batch.producerEpoch) sequence=\(batch.baseSequence)"
        case .createTopic(let topic): "create topic \(topic.name) id=\(topic.id) partitions=\(topic.partitionCount)"
        case .deleteTopic(let id): "delete topic id=\(id)"
        case .createPartitions(let id, let count): "create partitions id=\(id) count=\(count)"
        case .allocateProducerID: "allocate producer id"
        case .registerBroker(let broker): "register broker \(broker.id) at \(broker.host):\(broker.port)"
        case .initializeCluster(let id): "initialize cluster \(id)"
        case .forgetTopic(let number): "forget topic \(number)"
        case .fragment(let fragment): "fragment \(fragment.position + 1) of \(fragment.count)"
        case .group(let command): "group \(command.groupID): \(command.action)"
        case .deleteRecords(let partition, let offset): "delete records partition=\(partition) before=\(offset)"
        case .alterTopicConfigs(let alteration):
            "alter configs id=\(alteration.topic)\(alteration.replacesAll ? " replacing all" : "") "
                + alteration.changes.map { "\($0.operation) \($0.name)=\($0.value)" }.joined(separator: ", ")
        }
    }

    func print(_ verification: LogInspector.Verification, of shard: ShardID, at path: String) {
        begin(shard, path)
        for segment in verification.segments {
            emit("segment", [("shard", shard.rawValue), ("base", segment.base.rawValue),
                ("last", segment.last.rawValue),
                ("blocks", segment.blocks), ("bytes", segment.bytes), ("crc", hex(segment.checksum)),
                ("sidecar", segment.sidecar.rawValue)], indent: 1)
        }
        if verification.hasTornTail {
            let note = "unfinished write at the end, cut off at the next start"
            emit("tornTail", [("shard", shard.rawValue), ("note", note)], indent: 1)
        }
        for range in verification.damage {
            emit("damage", [("shard", shard.rawValue), ("what", "\(range)")], indent: 1)
        }
        emit("result", [("shard", shard.rawValue), ("sound", verification.isSound)])
    }

    private func hex(_ checksum: UInt32) -> String {
        let digits = String(checksum, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    private func emit(_ kind: String, _ fields: [(String, Any)], indent: Int = 0) {
        guard json else {
            let text = fields.map { "\($0.0)=\($0.1)" }.joined(separator: " ")
            return Swift.print(String(repeating: "  ", count: indent) + "\(kind) \(text)")
        }
        var object: [String: Any] = ["kind": kind]
        for (name, value) in fields { object[name] = value }
        if let data = try? JSONSerialization.data(withJSONObject: object, options: [.sortedKeys]) {
            Swift.print(String(decoding: data, as: UTF8.self))
        }
    }
}
