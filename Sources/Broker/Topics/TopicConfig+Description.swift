/// One key of some configuration with its value in force, as DescribeConfigs tells it.
struct DescribedConfig {
    /// Kafka's numbers for where a value comes from.
    enum Source {
        static let dynamicTopic: Int8 = 1
        static let staticBroker: Int8 = 4
        static let defaultValue: Int8 = 5
    }

    var name: String
    var value: String
    var source: Int8
    var kind: TopicConfig.Kind
    var isReadOnly: Bool
    var documentation: String
    /// The value in force and those it hides, in the order in which they count.
    var synonyms: [(value: String, source: Int8)]
}

extension TopicConfig {
    /// Every key, by name, with its value and where that comes from.
    var described: [DescribedConfig] {
        Self.keys.map { key in
            let override = overrides[key.name].map { (value: $0, source: DescribedConfig.Source.dynamicTopic) }
            let standard = (value: key.defaultValue, source: DescribedConfig.Source.defaultValue)
            let inForce = override ?? standard
            return DescribedConfig(
                name: key.name, value: inForce.value, source: inForce.source, kind: key.kind, isReadOnly: false,
                documentation: key.documentation, synonyms: (override.map { [$0] } ?? []) + [standard])
        }
    }
}
