import Basics
import KafkaWire
import Raft

/// AlterConfigs (KIP-133) and IncrementalAlterConfigs (KIP-339): the configurations of topics change through the log of
/// the metadata shard; brokers and groups have none that could be changed while they run.
extension Broker {
    func alterConfigs(_ request: AlterConfigsRequest, _ context: RequestContext) {
        let alterations = request.resources.map { resource in
            ConfigAlteration(
                resourceType: resource.resourceType, resourceName: resource.resourceName, replacesAll: true,
                changes: resource.configs.map { config in
                    ConfigAlteration.Change(
                        name: config.name, operation: IncrementalAlterConfigsRequest.Operation.set, value: config.value)
                })
        }
        alter(alterations, validateOnly: request.validateOnly, context) { refusals in
            AlterConfigsResponse { response in
                response.results = zip(alterations, refusals).map { alteration, refusal in
                    AlterConfigsResponse.Result {
                        $0.resourceType = alteration.resourceType
                        $0.resourceName = alteration.resourceName
                        $0.errorCode = refusal?.code ?? .none
                        $0.errorMessage = refusal?.message
                    }
                }
            }
        }
    }

    func alterConfigs(_ request: IncrementalAlterConfigsRequest, _ context: RequestContext) {
        let alterations = request.resources.map { resource in
            ConfigAlteration(
                resourceType: resource.resourceType, resourceName: resource.resourceName, replacesAll: false,
                changes: resource.configs.map { config in
                    ConfigAlteration.Change(name: config.name, operation: config.configOperation, value: config.value)
                })
        }
        alter(alterations, validateOnly: request.validateOnly, context) { refusals in
            IncrementalAlterConfigsResponse { response in
                response.results = zip(alterations, refusals).map { alteration, refusal in
                    IncrementalAlterConfigsResponse.Result {
                        $0.resourceType = alteration.resourceType
                        $0.resourceName = alteration.resourceName
                        $0.errorCode = refusal?.code ?? .none
                        $0.errorMessage = refusal?.message
                    }
                }
            }
        }
    }

    /// - Parameter answer: makes the response of a refusal, or nil for success, for each alteration.
    private func alter<Response: KafkaResponse>(
        _ alterations: [ConfigAlteration], validateOnly: Bool, _ context: RequestContext,
        answer: @escaping ([AdminRefusal?]) -> Response
    ) {
        let unreachable = AdminRefusal(.notController, "the metadata leader cannot be reached; try again")
        let refuse = { context.respond(answer(alterations.map { _ in unreachable })) }
        guard !forwardToMetadataLeader(context, orElse: refuse) else { return }
        let named = Dictionary(grouping: alterations) { "\($0.resourceType) \($0.resourceName)" }
        let gathering = Gathering<AdminRefusal?>(count: alterations.count) { context.respond(answer($0)) }
        for (position, alteration) in alterations.enumerated() {
            guard named["\(alteration.resourceType) \(alteration.resourceName)"]?.count == 1 else {
                gathering.set(position, AdminRefusal(.invalidRequest, "the request names this resource twice"))
                continue
            }
            alter(alteration, validateOnly: validateOnly) { gathering.set(position, $0) }
        }
    }

    private func alter(
        _ alteration: ConfigAlteration, validateOnly: Bool, completion: @escaping (AdminRefusal?) -> Void
    ) {
        let command: AlterTopicConfigsCommand
        do {
            command = try self.command(for: alteration)
        } catch {
            return completion(error)
        }
        guard !validateOnly else { return completion(nil) }
        propose(.alterTopicConfigs(command), in: metadataShard) { result in
            switch result {
            case .success(.refused(let code)): completion(AdminRefusal(code, "the topic was deleted meanwhile"))
            case .success: completion(nil)
            case .failure(let error): completion(AdminRefusal(error.metadataErrorCode, "\(error)"))
            }
        }
    }

    private func command(for alteration: ConfigAlteration) throws(AdminRefusal) -> AlterTopicConfigsCommand {
        switch alteration.resourceType {
        case ConfigResourceType.topic: break
        case ConfigResourceType.broker:
            throw AdminRefusal(.invalidRequest, "a broker is configured where it is started: martlet serve --help")
        case ConfigResourceType.group:
            throw AdminRefusal(.invalidRequest, "all groups have the same configuration, and it cannot be changed")
        default:
            throw AdminRefusal(
                .invalidRequest, "resource type \(alteration.resourceType) has no configuration that can be changed")
        }
        guard let topic = metadata.topic(named: alteration.resourceName) else {
            let code = TopicName.isValid(alteration.resourceName)
                ? ErrorCode.unknownTopicOrPartition : .invalidTopicException
            throw AdminRefusal(code, "no such topic")
        }
        var seen: Set<String> = []
        var changes: [AlterTopicConfigsCommand.Change] = []
        for change in alteration.changes {
            guard seen.insert(change.name).inserted else {
                throw AdminRefusal(.invalidRequest, "the request gives topic config \(change.name) twice")
            }
            let checked = try change.checked()
            if let reason = topic.config.reasonToRefuse(checked) { throw AdminRefusal(.invalidConfig, reason) }
            changes.append(checked)
        }
        return AlterTopicConfigsCommand(topic: topic.id, replacesAll: alteration.replacesAll, changes: changes)
    }
}

/// What a request of either kind asks to be changed of one resource.
private struct ConfigAlteration {
    struct Change {
        var name: String
        var operation: Int8
        var value: String?

        /// The change in the words of the log.
        func checked() throws(AdminRefusal) -> AlterTopicConfigsCommand.Change {
            guard let operation = UInt8(exactly: operation).flatMap(AlterTopicConfigsCommand.Operation.init) else {
                throw AdminRefusal(.invalidRequest, "operation \(operation) on topic config \(name) is unknown")
            }
            guard value != nil || operation == .delete else {
                throw AdminRefusal(.invalidRequest, "a null value is given to topic config \(name)")
            }
            return AlterTopicConfigsCommand.Change(
                name: name, operation: operation, value: operation == .delete ? "" : value ?? "")
        }
    }

    var resourceType: Int8
    var resourceName: String
    var replacesAll: Bool
    var changes: [Change]
}
