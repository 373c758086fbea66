import NIOCore

/// A partition as members of a classic group speak of it.
struct NamedPartition: Hashable, Comparable, CustomStringConvertible {
    let topic: String
    let number: Int32

    static func < (a: NamedPartition, b: NamedPartition) -> Bool { (a.topic, a.number) < (b.topic, b.number) }

    var description: String { "\(topic)/\(number)" }
}

extension ByteBuffer {
    mutating func writeShortString(_ string: String) {
        writeInteger(Int16(string.utf8.count))
        writeString(string)
    }

    mutating func readShortString() -> String? {
        guard let length: Int16 = readInteger(), length >= 0 else { return nil }
        return readString(length: Int(length))
    }

    /// Partitions as Kafka's consumers write them, in assignments and in what they say that they own.
    mutating func write(_ partitions: Set<NamedPartition>) {
        let topics = Dictionary(grouping: partitions, by: \.topic).sorted { $0.key < $1.key }
        writeInteger(Int32(topics.count))
        for (topic, partitions) in topics {
            writeShortString(topic)
            writeInteger(Int32(partitions.count))
            for partition in partitions.sorted() { writeInteger(partition.number) }
        }
    }

    /// The same read back; nil if that is not what stands here.
    mutating func readNamedPartitions() -> Set<NamedPartition>? {
        guard let count: Int32 = readInteger(), count >= 0 else { return nil }
        var partitions: Set<NamedPartition> = []
        for _ in 0..<count {
            guard let topic = readShortString(), let partitionCount: Int32 = readInteger(), partitionCount >= 0
            else { return nil }
            for _ in 0..<partitionCount {
                guard let number: Int32 = readInteger() else { return nil }
                partitions.insert(NamedPartition(topic: topic, number: number))
            }
        }
        return partitions
    }
}
