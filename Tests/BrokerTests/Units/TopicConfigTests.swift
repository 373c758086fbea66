import Basics
import Testing

@testable import Broker

@Suite struct TopicConfigTests {
    private typealias Change = AlterTopicConfigsCommand.Change

    private static func defaultValue(of name: String) -> String? {
        TopicConfig.keys.first { $0.name == name }?.defaultValue
    }

    @Test func `changes are carried out one after the other, and what is parsed follows`() {
        let before = TopicConfig([.init(name: "max.message.bytes", value: "5"), .init(name: "flush.ms", value: "6")])
        let changes = [
            Change(name: "max.message.bytes", operation: .set, value: "7"),
            Change(name: "retention.ms", operation: .set, value: "8"),
            Change(name: "retention.ms", operation: .delete, value: ""),
        ]
        let after = before.altered(by: changes, replacingAll: false)
        #expect(after.overrides == ["max.message.bytes": "7", "flush.ms": "6"])
        #expect(after.batchBytesMax == 7)
        #expect(before.altered(by: changes, replacingAll: true).overrides == ["max.message.bytes": "7"])
        #expect(before.altered(by: [], replacingAll: true) == TopicConfig([]))
    }

    @Test func `elements join a list once and leave it`() {
        func value(_ changes: Change...) -> String? {
            TopicConfig([]).altered(by: changes, replacingAll: false).overrides["cleanup.policy"]
        }
        let append = Change(name: "cleanup.policy", operation: .append, value: "x, delete,y")
        #expect(value(append) == "delete,x,y")
        #expect(value(append, Change(name: "cleanup.policy", operation: .subtract, value: "delete,y")) == "x")
    }

    @Test(arguments: [
        Change(name: "no.such.key", operation: .set, value: "1"),
        Change(name: "no.such.key", operation: .delete, value: ""),
        Change(name: "no.such.key", operation: .append, value: "1"),
        Change(name: "retention.ms", operation: .append, value: "1"),
        Change(name: "retention.ms", operation: .set, value: "x"),
        Change(name: "cleanup.policy", operation: .append, value: "compacted"),
        Change(name: "cleanup.policy", operation: .subtract, value: "delete"),
    ]) func `changes that lead to no valid value are refused`(change: AlterTopicConfigsCommand.Change) {
        #expect(TopicConfig([]).reasonToRefuse(change)?.contains(change.name) == true)
    }

    @Test(arguments: [
        Change(name: "retention.ms", operation: .set, value: "1"),
        Change(name: "retention.ms", operation: .delete, value: ""),
        Change(name: "cleanup.policy", operation: .append, value: "delete"),
    ]) func `changes to valid values are taken`(change: AlterTopicConfigsCommand.Change) {
        #expect(TopicConfig([]).reasonToRefuse(change) == nil)
    }

    @Test func `every key has a valid default, a unique name and a text, and they are sorted`() {
        for key in TopicConfig.keys {
            #expect(TopicConfig.reasonToRefuse(key.name, key.defaultValue) == nil, "\(key.name)")
            #expect(!key.documentation.isEmpty)
        }
        let names = TopicConfig.keys.map(\.name)
        #expect(names == Set(names).sorted())
    }

    @Test func `what has an effect is parsed`() {
        let config = TopicConfig([
            .init(name: "max.message.bytes", value: "123"),
            .init(name: "message.timestamp.type", value: "LogAppendTime"),
            .init(name: "message.timestamp.after.max.ms", value: "5"),
            .init(name: "message.timestamp.before.max.ms", value: "6"),
        ])
        #expect(config.batchBytesMax == 123)
        #expect(config.usesLogAppendTime)
        #expect(config.timestampAfterMax == 5)
        #expect(config.timestampBeforeMax == 6)
    }

    @Test func `the parsed defaults are those of the table`() {
        let config = TopicConfig([])
        func value(_ name: String) -> String? { TopicConfig.keys.first { $0.name == name }?.defaultValue }
        #expect("\(config.batchBytesMax)" == value("max.message.bytes"))
        #expect((config.usesLogAppendTime ? "LogAppendTime" : "CreateTime") == value("message.timestamp.type"))
        #expect("\(config.timestampAfterMax)" == value("message.timestamp.after.max.ms"))
        #expect("\(config.timestampBeforeMax)" == value("message.timestamp.before.max.ms"))
    }

    @Test func `every key is described with its source`() {
        let described = TopicConfig([.init(name: "retention.ms", value: "9")]).described
        #expect(described.count == TopicConfig.keys.count)
        for entry in described {
            let isSet = entry.name == "retention.ms"
            #expect(entry.value == (isSet ? "9" : Self.defaultValue(of: entry.name)))
            #expect(entry.source == (isSet ? DescribedConfig.Source.dynamicTopic : DescribedConfig.Source.defaultValue))
        }
    }

    @Test(arguments: [
        ("retention.ms", "-1"), ("retention.ms", "9223372036854775807"), ("preallocate", "true"),
        ("min.cleanable.dirty.ratio", "0"), ("min.cleanable.dirty.ratio", "1.0"), ("cleanup.policy", "delete"),
        ("cleanup.policy", "compact"), ("cleanup.policy", "compact,delete"),
        ("max.message.bytes", "104857600"),
    ]) func `values within the limits are taken`(name: String, value: String) {
        #expect(TopicConfig.reasonToRefuse(name, value) == nil)
    }

    @Test(arguments: [
        ("retention.ms", "-2"), ("retention.ms", "9223372036854775808"), ("preallocate", "TRUE"),
        ("min.cleanable.dirty.ratio", "-0.1"), ("cleanup.policy", "delete,shred"), ("max.message.bytes", "104857601"),
        ("segment.bytes", "13"), ("retention.ms", ""), ("retention.ms", "1 "),
        ("unclean.leader.election.enable", "true"), ("cleanup.policy", ""),
    ]) func `values beyond them are refused with the key's name`(name: String, value: String) {
        #expect(TopicConfig.reasonToRefuse(name, value)?.contains(name) == true)
    }
}
