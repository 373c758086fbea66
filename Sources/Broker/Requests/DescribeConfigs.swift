import Basics
import KafkaWire

/// DescribeConfigs (KIP-133, KIP-226): topic configurations with their sources, and this broker's own.
extension Broker {
    /// Kafka's numbers for the kinds of things that have configurations.
    private enum ResourceType {
        static let topic: Int8 = 2
        static let broker: Int8 = 4
    }

    func describeConfigs(_ request: DescribeConfigsRequest, _ context: RequestContext) {
        context.respond(DescribeConfigsResponse { response in
            response.results = request.resources.map { describe($0, request) }
        })
    }

    private func describe(
        _ resource: DescribeConfigsRequest.Resource, _ request: DescribeConfigsRequest
    ) -> DescribeConfigsResponse.Result {
        DescribeConfigsResponse.Result { result in
            result.resourceType = resource.resourceType
            result.resourceName = resource.resourceName
            let all: [DescribeConfigsResponse.Config]
            switch resource.resourceType {
            case ResourceType.topic:
                guard let topic = metadata.topic(named: resource.resourceName) else {
                    result.errorCode = .unknownTopicOrPartition
                    result.errorMessage = "no such topic"
                    return
                }
                all = topic.config.described.map { Self.entry($0, request) }
            case ResourceType.broker:
                guard resource.resourceName.isEmpty || resource.resourceName == "\(configuration.nodeID)" else {
                    result.errorCode = .invalidRequest
                    result.errorMessage =
                        "ask broker \(resource.resourceName) itself; this is broker \(configuration.nodeID)"
                    return
                }
                all = brokerConfigs
            default:
                result.errorCode = .invalidRequest
                result.errorMessage = "resource type \(resource.resourceType) has no configuration here"
                return
            }
            let keys = resource.configurationKeys.map(Set.init)
            result.configs = all.filter { keys?.contains($0.name) ?? true }
        }
    }

    private static func entry(
        _ described: TopicConfig.Described, _ request: DescribeConfigsRequest
    ) -> DescribeConfigsResponse.Config {
        DescribeConfigsResponse.Config { config in
            config.name = described.key.name
            config.value = described.value
            config.configSource = described.source
            config.configType = described.key.kind.rawValue
            if request.includeDocumentation { config.documentation = described.key.documentation }
            guard request.includeSynonyms else { return }
            config.synonyms = [
                DescribeConfigsResponse.Synonym {
                    $0.name = described.key.name
                    $0.value = described.value
                    $0.source = described.source
                }
            ]
        }
    }

    private var groupConfigs: [(name: String, value: String, kind: TopicConfig.Kind)] {
        let groups = configuration.groups
        return [
            ("group.consumer.assignors", ServerAssignor.allCases.map(\.name).joined(separator: ","), .list),
            ("group.consumer.heartbeat.interval.ms", "\(groups.consumerHeartbeatInterval)", .int),
            ("group.consumer.max.size", "\(groups.consumerSizeMax)", .int),
            ("group.consumer.session.timeout.ms", "\(groups.consumerSessionTimeout)", .int),
            ("group.initial.rebalance.delay.ms", "\(groups.initialRebalanceDelay)", .int),
            ("group.max.session.timeout.ms", "\(groups.sessionTimeouts.upperBound)", .int),
            ("group.max.size", "\(groups.sizeMax)", .int),
            ("group.min.session.timeout.ms", "\(groups.sessionTimeouts.lowerBound)", .int),
            ("offset.metadata.max.bytes", "\(groups.offsetMetadataBytesMax)", .int),
            ("offsets.retention.minutes", "\(groups.offsetsRetention / 60_000)", .int),
        ]
    }

    /// What tools look for in a broker's configuration, under Kafka's names.
    private var brokerConfigs: [DescribeConfigsResponse.Config] {
        let values: [(name: String, value: String, kind: TopicConfig.Kind)] = [
            ("auto.create.topics.enable", "\(configuration.autoCreateTopics)", .boolean),
            ("broker.id", "\(configuration.nodeID)", .int),
            ("default.replication.factor", "\(configuration.voters.count)", .int),
            ("fetch.max.bytes", "\(configuration.fetchBytesMax)", .int),
            ("message.max.bytes", "1048588", .int),
            ("num.partitions", "\(configuration.defaultPartitionCount)", .int),
        ] + groupConfigs
        return values.map { entry in
            DescribeConfigsResponse.Config {
                $0.name = entry.name
                $0.value = entry.value
                $0.readOnly = true
                $0.configSource = TopicConfig.Source.staticBroker
                $0.configType = entry.kind.rawValue
            }
        }
    }
}
