import KafkaWire

/// Finds the topics that regular expressions match, and remembers them until topics come or go.
///
/// Owner: the `ConsumerGroupCoordinator`, on the event loop. Remembers at most `rememberedMax` expressions.
struct TopicPatternResolver {
    private static let rememberedMax = 1_000

    /// What one expression may cost, over all topics. The default is some tenths of a second at most.
    private let stepsMax: Int
    private var known: [String: [String]] = [:]
    /// The state of the topics that `known` is about.
    private var revision: UInt64 = 0

    init(stepsMax: Int = 20_000_000) { self.stepsMax = stepsMax }

    /// The names of the topics that match, in order.
    mutating func topicNames(matching regex: String, in metadata: ClusterMetadata) throws(PatternError) -> [String] {
        if revision != metadata.topicsRevision || known.count >= Self.rememberedMax {
            known = [:]
            revision = metadata.topicsRevision
        }
        if let names = known[regex] { return names }
        let pattern = try TopicPattern(regex)
        var steps = stepsMax
        guard let names = pattern.matches(among: metadata.topics.keys.sorted(), steps: &steps) else {
            throw PatternError("takes too long to match against \(metadata.topics.count) topics")
        }
        known[regex] = names
        return names
    }
}
