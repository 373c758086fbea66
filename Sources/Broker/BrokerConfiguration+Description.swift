/// What tools look for in a broker's configuration, under Kafka's names. Nothing of it changes while the broker runs.
extension BrokerConfiguration {
    var described: [DescribedConfig] {
        typealias Source = DescribedConfig.Source
        let topicDefaults = Dictionary(uniqueKeysWithValues: TopicConfig.keys.map { ($0.name, $0.defaultValue) })
        func standard(_ topicKey: String) -> String { topicDefaults[topicKey] ?? "" }
        let entries: [(String, String, TopicConfig.Kind, Int8, String)] = [
            ("advertised.listeners", "PLAINTEXT://\(advertisedHost):\(advertisedPort)", .list, Source.staticBroker,
                "Where clients reach this broker."),
            ("auto.create.topics.enable", "\(autoCreateTopics)", .boolean, Source.staticBroker,
                "Whether asking for a missing topic creates it."),
            ("broker.id", "\(nodeID)", .int, Source.staticBroker, "This broker's number."),
            ("broker.rack", rack ?? "", .string, Source.staticBroker, "Where this broker stands."),
            ("compression.type", standard("compression.type"), .string, Source.defaultValue,
                "Batches are served as they were sent."),
            ("default.replication.factor", "\(voters.count)", .int, Source.staticBroker,
                "Every partition is on every broker."),
            ("delete.topic.enable", "true", .boolean, Source.defaultValue, "Topics can be deleted."),
            ("fetch.max.bytes", "\(fetchBytesMax)", .int, Source.defaultValue, "Largest response to one fetch."),
            ("group.consumer.assignors", ServerAssignor.allCases.map(\.name).joined(separator: ","), .list,
                Source.defaultValue, "How partitions can be dealt out to members of the newer protocol."),
            ("group.consumer.heartbeat.interval.ms", "\(groups.consumerHeartbeatInterval)", .int, Source.staticBroker,
                "How often a member is asked to send its heartbeat."),
            ("group.consumer.max.size", "\(groups.consumerSizeMax)", .int, Source.staticBroker,
                "Most members of a group of the newer protocol."),
            ("group.consumer.migration.policy", groups.migration.rawValue, .string, Source.staticBroker,
                "Which way a group may change its protocol under its members."),
            ("group.consumer.session.timeout.ms", "\(groups.consumerSessionTimeout)", .int, Source.staticBroker,
                "How long a member may be silent."),
            ("group.initial.rebalance.delay.ms", "\(groups.initialRebalanceDelay)", .int, Source.staticBroker,
                "How long the first members of an empty group wait for others."),
            ("group.max.session.timeout.ms", "\(groups.sessionTimeouts.upperBound)", .int, Source.staticBroker,
                "Longest session timeout that a member may ask for."),
            ("group.max.size", "\(groups.sizeMax)", .int, Source.staticBroker, "Most members of a group."),
            ("group.min.session.timeout.ms", "\(groups.sessionTimeouts.lowerBound)", .int, Source.staticBroker,
                "Shortest session timeout that a member may ask for."),
            ("log.cleanup.policy", standard("cleanup.policy"), .list, Source.defaultValue,
                "What a topic has that does not set cleanup.policy."),
            ("log.dirs", logDirectory, .list, Source.staticBroker, "Where the logs are."),
            ("log.message.timestamp.type", standard("message.timestamp.type"), .string, Source.defaultValue,
                "What a topic has that does not set message.timestamp.type."),
            ("log.retention.bytes", standard("retention.bytes"), .long, Source.defaultValue,
                "What a topic has that does not set retention.bytes."),
            ("log.retention.ms", standard("retention.ms"), .long, Source.defaultValue,
                "What a topic has that does not set retention.ms."),
            ("message.max.bytes", standard("max.message.bytes"), .int, Source.defaultValue,
                "What a topic has that does not set max.message.bytes."),
            ("min.insync.replicas", standard("min.insync.replicas"), .int, Source.defaultValue,
                "A majority always has each batch on disk."),
            ("node.id", "\(nodeID)", .int, Source.staticBroker, "This broker's number."),
            ("num.partitions", "\(defaultPartitionCount)", .int, Source.staticBroker,
                "Partitions of a topic whose creator did not say."),
            ("offset.metadata.max.bytes", "\(groups.offsetMetadataBytesMax)", .int, Source.staticBroker,
                "Longest metadata of a committed offset."),
            ("offsets.retention.minutes", "\(groups.offsetsRetention / 60_000)", .int, Source.staticBroker,
                "How long offsets of a group without members are kept."),
        ]
        return entries.map { name, value, kind, source, documentation in
            DescribedConfig(
                name: name, value: value, source: source, kind: kind, isReadOnly: true, documentation: documentation,
                synonyms: [(value, source)])
        }
    }
}

extension GroupConfiguration {
    /// What holds for every group of the newer protocol (KIP-848), under Kafka's names.
    var described: [DescribedConfig] {
        typealias Source = DescribedConfig.Source
        return [
            ("consumer.heartbeat.interval.ms", "\(consumerHeartbeatInterval)",
                "How often a member is asked to send its heartbeat."),
            ("consumer.session.timeout.ms", "\(consumerSessionTimeout)", "How long a member may be silent."),
        ].map { name, value, documentation in
            DescribedConfig(
                name: name, value: value, source: Source.staticBroker, kind: .int, isReadOnly: true,
                documentation: documentation, synonyms: [(value, Source.staticBroker)])
        }
    }
}
