import Basics
import KafkaWire

/// The configuration of a topic: the keys that Kafka's tools expect, of which some have an effect here.
public struct TopicConfig: Hashable, Sendable {
    /// Kafka's `ConfigDef.Type` numbers, as DescribeConfigs reports them.
    public enum Kind: Int8, Sendable {
        case boolean = 1
        case string = 2
        case int = 3
        case long = 5
        case double = 6
        case list = 7
    }

    /// One key of the table.
    public struct Key: Sendable {
        public let name: String
        public let kind: Kind
        public let defaultValue: String
        /// Values allowed where they are a closed set.
        let choices: [String]
        /// Smallest and largest allowed number.
        let range: ClosedRange<Int64>?
        /// What the key means here.
        public let documentation: String

        init(
            _ name: String, _ kind: Kind, _ defaultValue: String, choices: [String] = [],
            range: ClosedRange<Int64>? = nil, _ documentation: String
        ) {
            self.name = name
            self.kind = kind
            self.defaultValue = defaultValue
            self.choices = choices
            self.range = range
            self.documentation = documentation
        }

        /// Whether `value` may be given to this key.
        func accepts(_ value: String) -> Bool {
            switch kind {
            case .boolean: return choices.isEmpty ? value == "true" || value == "false" : choices.contains(value)
            case .int, .long:
                let limits = range ?? (kind == .int ? Int64(Int32.min)...Int64(Int32.max) : Int64.min...Int64.max)
                return Int64(value).map(limits.contains) ?? false
            case .double: return Double(value).map { (0...1).contains($0) } ?? false
            case .list: return !value.isEmpty && TopicConfig.elements(of: value).allSatisfy(choices.contains)
            case .string: return choices.contains(value)
            }
        }
    }

    private static let recorded = "Recorded and reported; has no effect in this version."

    /// All keys, by name.
    public static let keys: [Key] = [
        // Stream libraries keep their state in compacted topics. One that is never compacted keeps what they rely on.
        Key("cleanup.policy", .list, "delete", choices: ["delete", "compact"],
            "A topic with `compact` is kept whole: nothing is compacted in this version."),
        Key("compression.type", .string, "producer", choices: ["producer"], "Batches are served as they were sent."),
        Key("delete.retention.ms", .long, "86400000", range: 0...Int64.max, recorded),
        Key("file.delete.delay.ms", .long, "60000", range: 0...Int64.max, recorded),
        Key("flush.messages", .long, "1", range: 1...Int64.max, "Every batch is flushed before it is acknowledged."),
        Key("flush.ms", .long, "0", range: 0...Int64.max, "Every batch is flushed before it is acknowledged."),
        Key("index.interval.bytes", .int, "4096", range: 0...Int64(Int32.max), recorded),
        Key("max.compaction.lag.ms", .long, "9223372036854775807", range: 1...Int64.max, recorded),
        Key("max.message.bytes", .int, "1048588", range: 0...Int64(100.mebibytes), "Largest record batch in bytes."),
        Key("message.timestamp.after.max.ms", .long, "3600000", range: 0...Int64.max,
            "How far ahead of the broker's clock a batch's largest timestamp may be."),
        Key("message.timestamp.before.max.ms", .long, "9223372036854775807", range: 0...Int64.max,
            "How far behind the broker's clock a batch's largest timestamp may be."),
        Key("message.timestamp.type", .string, "CreateTime", choices: ["CreateTime", "LogAppendTime"],
            "Whose clock dates the records: the producer's or the broker's."),
        Key("min.cleanable.dirty.ratio", .double, "0.5", recorded),
        Key("min.compaction.lag.ms", .long, "0", range: 0...Int64.max, recorded),
        Key("min.insync.replicas", .int, "1", range: 1...Int64(Int32.max), "A majority always has each batch on disk."),
        Key("preallocate", .boolean, "false", recorded),
        Key("retention.bytes", .long, "-1", range: -1...Int64.max, recorded),
        Key("retention.ms", .long, "604800000", range: -1...Int64.max, recorded),
        Key("segment.bytes", .int, "1073741824", range: 14...Int64(Int32.max), recorded),
        Key("segment.index.bytes", .int, "10485760", range: 4...Int64(Int32.max), recorded),
        Key("segment.jitter.ms", .long, "0", range: 0...Int64.max, recorded),
        Key("segment.ms", .long, "604800000", range: 1...Int64.max, recorded),
        Key("unclean.leader.election.enable", .boolean, "false", choices: ["false"], "Never: it would lose records."),
    ]

    static let keysByName = Dictionary(uniqueKeysWithValues: keys.map { ($0.name, $0) })

    /// The values that were set, by key.
    public private(set) var overrides: [String: String]
    // Parsed once, because every produce asks.
    public private(set) var batchBytesMax = 1_048_588
    public private(set) var usesLogAppendTime = false
    public private(set) var timestampAfterMax: Milliseconds = 3_600_000
    public private(set) var timestampBeforeMax: Milliseconds = .max

    init(_ entries: [CreateTopicCommand.ConfigEntry]) {
        self.init(overrides: Dictionary(entries.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 }))
    }

    init(overrides: [String: String]) {
        self.overrides = overrides
        if let bytes = overrides["max.message.bytes"].flatMap({ Int($0) }) { batchBytesMax = bytes }
        usesLogAppendTime = overrides["message.timestamp.type"] == "LogAppendTime"
        if let span = overrides["message.timestamp.after.max.ms"].flatMap({ Int64($0) }) { timestampAfterMax = span }
        if let span = overrides["message.timestamp.before.max.ms"].flatMap({ Int64($0) }) { timestampBeforeMax = span }
    }

    /// Bytes of the longest value: far more than any valid one needs, and all keys together fit an entry's head.
    static let valueBytesMax = 1_024

    /// Why `value` cannot be given to `name`, in words for the person who tried; nil when it can.
    public static func reasonToRefuse(_ name: String, _ value: String?) -> String? {
        guard let key = keysByName[name] else { return "Unknown topic config name: \(name)" }
        guard let value else { return "Null value not supported for topic config: \(name)" }
        guard value.utf8.count <= valueBytesMax else {
            return "Value of topic config \(name) is longer than \(valueBytesMax) bytes"
        }
        guard !key.accepts(value) else { return nil }
        let allowed = key.choices.isEmpty ? "" : "; use one of \(key.choices.joined(separator: ", "))"
        return "Invalid value \(value) for configuration \(name)\(allowed)"
    }
}
