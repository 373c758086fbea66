import KafkaWire

/// Settings of topics and brokers.
extension Admin {
    /// The settings of a topic or broker, by name.
    public func configs(of resource: ConfigResource) async throws(KafkaClientError) -> [ConfigEntry] {
        let (type, name, target): (Int8, String, Cluster.Target) =
            switch resource {
            case .topic(let topic): (ConfigResourceType.topic, topic, .any)
            case .broker(let id): (ConfigResourceType.broker, "\(id)", .node(id))
            }
        if case .node = target { try await cluster.refreshMetadata() }
        let request = DescribeConfigsRequest {
            $0.resources = [
                .init {
                    $0.resourceType = type
                    $0.resourceName = name
                    $0.configurationKeys = nil
                }
            ]
        }
        let response = try await ask(request, "configuration of \(name)", to: target) { response in
            (response.results.first?.errorCode, response.results.first?.errorMessage)
        }
        let configs = response.results.first?.configs ?? []
        return configs.map { config in
            ConfigEntry(
                name: config.name, value: config.value, isDefault: config.configSource == 5,
                isReadOnly: config.readOnly, isSensitive: config.isSensitive)
        }.sorted { $0.name < $1.name }
    }

    /// Changes single settings of a topic; the others stay as they are.
    ///
    /// - Parameters:
    ///   - values: what to set.
    ///   - removed: what goes back to the broker's default.
    ///   - validateOnly: only find out whether it could be done.
    /// - Throws: `broker`, for example with `INVALID_CONFIG`; nothing is changed then.
    public func alterConfigs(
        ofTopic name: String, setting values: [String: String], removing removed: [String] = [],
        validateOnly: Bool = false
    ) async throws(KafkaClientError) {
        typealias Operation = IncrementalAlterConfigsRequest.Operation
        let changes: [(name: String, operation: Int8, value: String?)] =
            values.sorted { $0.key < $1.key }.map { ($0.key, Operation.set, $0.value) }
            + removed.map { ($0, Operation.delete, nil) }
        let request = IncrementalAlterConfigsRequest {
            $0.validateOnly = validateOnly
            $0.resources = [
                .init {
                    $0.resourceType = ConfigResourceType.topic
                    $0.resourceName = name
                    $0.configs = changes.map { change in
                        .init {
                            $0.name = change.name
                            $0.configOperation = change.operation
                            $0.value = change.value
                        }
                    }
                }
            ]
        }
        try await ask(request, "topic \(name)") { response in
            (response.results.first?.errorCode, response.results.first?.errorMessage)
        }
    }
}
