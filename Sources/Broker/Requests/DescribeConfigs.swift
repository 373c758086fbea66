import Basics
import KafkaWire

/// DescribeConfigs (KIP-133, KIP-226): the configurations of topics with their sources, this broker's own, and what
/// holds for every group.
extension Broker {
    func describeConfigs(_ request: DescribeConfigsRequest, _ context: RequestContext) {
        context.respond(DescribeConfigsResponse { response in
            response.results = request.resources.map { resource in
                DescribeConfigsResponse.Result { result in
                    result.resourceType = resource.resourceType
                    result.resourceName = resource.resourceName
                    do throws(AdminRefusal) {
                        let keys = resource.configurationKeys.map(Set.init)
                        result.configs = try configs(of: resource)
                            .filter { keys?.contains($0.name) ?? true }
                            .map { Self.entry($0, request) }
                    } catch {
                        result.errorCode = error.code
                        result.errorMessage = error.message
                    }
                }
            }
        })
    }

    private func configs(
        of resource: DescribeConfigsRequest.Resource
    ) throws(AdminRefusal) -> [DescribedConfig] {
        let name = resource.resourceName
        switch resource.resourceType {
        case ConfigResourceType.topic:
            if let topic = metadata.topic(named: name) { return topic.config.described }
            guard TopicName.isValid(name) else { throw AdminRefusal(.invalidTopicException, "no valid topic name") }
            let code = knowsAllTopics ? ErrorCode.unknownTopicOrPartition : .leaderNotAvailable
            throw AdminRefusal(code, "no such topic")
        case ConfigResourceType.broker:
            guard name.isEmpty || name == "\(configuration.nodeID)" else {
                throw AdminRefusal(
                    .invalidRequest, "ask broker \(name) itself; this is broker \(configuration.nodeID)")
            }
            return configuration.described
        case ConfigResourceType.group:
            guard !name.isEmpty else { throw AdminRefusal(.invalidRequest, "the group's id is missing") }
            return configuration.groups.described
        default:
            throw AdminRefusal(
                .invalidRequest, "resource type \(resource.resourceType) has no configuration here")
        }
    }

    private static func entry(
        _ described: DescribedConfig, _ request: DescribeConfigsRequest
    ) -> DescribeConfigsResponse.Config {
        DescribeConfigsResponse.Config { config in
            config.name = described.name
            config.value = described.value
            config.readOnly = described.isReadOnly
            config.configSource = described.source
            config.configType = described.kind.rawValue
            if request.includeDocumentation { config.documentation = described.documentation }
            guard request.includeSynonyms else { return }
            config.synonyms = described.synonyms.map { synonym in
                DescribeConfigsResponse.Synonym {
                    $0.name = described.name
                    $0.value = synonym.value
                    $0.source = synonym.source
                }
            }
        }
    }
}
