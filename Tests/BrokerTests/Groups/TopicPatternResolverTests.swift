import KafkaWire
import Testing

@testable import Broker

@Suite struct TopicPatternResolverTests {
    private func metadata(_ names: [String]) -> ClusterMetadata {
        let metadata = ClusterMetadata()
        for (number, name) in names.enumerated() {
            _ = metadata.create(
                CreateTopicCommand(
                    name: name, id: TopicID(high: 1, low: UInt64(number)), partitionCount: 1, replicationFactor: 1,
                    configs: []))
        }
        return metadata
    }

    @Test func `the topics that match are found in order, and anew when topics come and go`() throws {
        var resolver = TopicPatternResolver()
        let topics = metadata(["b-2", "a", "b-1"])
        #expect(try resolver.topicNames(matching: "b-.*", in: topics) == ["b-1", "b-2"])
        _ = topics.delete(TopicID(high: 1, low: 0))
        #expect(try resolver.topicNames(matching: "b-.*", in: topics) == ["b-1"])
        #expect(throws: PatternError.self) { try resolver.topicNames(matching: "(", in: topics) }
    }

    @Test func `an expression that would hold up everything is refused`() throws {
        var resolver = TopicPatternResolver(stepsMax: 1_000_000)
        let topics = metadata((0..<4).map { "\($0)" + String(repeating: "a", count: 240) })
        let regex = ".*(a?){1000}(a?){1000}b"
        #expect(throws: PatternError.self) { try resolver.topicNames(matching: regex, in: topics) }
    }
}
