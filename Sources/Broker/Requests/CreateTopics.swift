import Basics
import KafkaWire
import NIOCore
import Raft

/// CreateTopics: checked and proposed by the leader of the metadata shard; other brokers pass the request on.
extension Broker {
    func createTopics(_ request: CreateTopicsRequest, _ context: RequestContext) {
        let refuse = {
            context.respond(CreateTopicsResponse { response in
                response.topics = request.topics.map { topic in
                    Self.result(topic.name, .notController, "the metadata leader cannot be reached; try again")
                }
            })
        }
        guard !forwardToMetadataLeader(context, orElse: refuse) else { return }
        let repeated = Set(Dictionary(grouping: request.topics, by: \.name).filter { $1.count > 1 }.keys)
        let gathering = Gathering<CreateTopicsResponse.Topic>(count: request.topics.count) { topics in
            context.respond(CreateTopicsResponse { $0.topics = topics })
        }
        for (position, topic) in request.topics.enumerated() {
            guard !repeated.contains(topic.name) else {
                gathering.set(position, Self.result(topic.name, .invalidRequest, "the request names this topic twice"))
                continue
            }
            create(topic, validateOnly: request.validateOnly) { gathering.set(position, $0) }
        }
    }

    func create(
        _ topic: CreateTopicsRequest.Topic, validateOnly: Bool,
        completion: @escaping (CreateTopicsResponse.Topic) -> Void
    ) {
        let command: CreateTopicCommand
        do {
            command = try creation(of: topic)
        } catch {
            return completion(Self.result(topic.name, error.code, error.message))
        }
        guard !validateOnly else { return completion(created(command, id: .zero)) }
        propose(.createTopic(command), in: metadataShard) { [weak self] result in
            guard let self else { return }
            switch result {
            case .success(.refused(let code)):
                completion(Self.result(topic.name, code, "topic '\(topic.name)' was created meanwhile"))
            case .success: completion(self.created(command, id: command.id))
            case .failure(let error): completion(Self.result(topic.name, error.metadataErrorCode, "\(error)"))
            }
        }
    }

    /// The command that creates the topic, with every default filled in; or why it cannot be created.
    func creation(of topic: CreateTopicsRequest.Topic) throws(AdminRefusal) -> CreateTopicCommand {
        guard TopicName.isValid(topic.name) else {
            throw AdminRefusal(
                .invalidTopicException, "topic names have 1 to 249 characters of a-z, A-Z, 0-9, '.', '_' and '-'")
        }
        if metadata.topic(named: topic.name) != nil {
            throw AdminRefusal(.topicAlreadyExists, "topic '\(topic.name)' already exists")
        }
        if metadata.collides(topic.name) {
            throw AdminRefusal(
                .invalidTopicException, "topic '\(topic.name)' collides with one that differs in '.' and '_' only")
        }
        var partitionCount = topic.numPartitions == -1 ? configuration.defaultPartitionCount : topic.numPartitions
        var replicationFactor = topic.replicationFactor
        if !topic.assignments.isEmpty {
            guard topic.numPartitions == -1, topic.replicationFactor == -1 else {
                throw AdminRefusal(.invalidRequest, "give either an assignment or counts, not both")
            }
            guard topic.assignments.map(\.partitionIndex).sorted() == (0..<Int32(topic.assignments.count)).map({ $0 }),
                topic.assignments.allSatisfy({ Set($0.brokerIDs).isSubset(of: configuration.voters.map(\.rawValue)) })
            else {
                throw AdminRefusal(
                    .invalidReplicaAssignment, "partitions are numbered from 0, replicas are brokers of this cluster")
            }
            partitionCount = Int32(topic.assignments.count)
        }
        guard (1...configuration.partitionCountMax).contains(partitionCount) else {
            throw AdminRefusal(.invalidPartitions, "a topic has 1 to \(configuration.partitionCountMax) partitions")
        }
        if replicationFactor == -1 { replicationFactor = Int16(configuration.voters.count) }
        guard (1...configuration.voters.count).contains(Int(replicationFactor)) else {
            throw AdminRefusal(.invalidReplicationFactor, "this cluster has \(configuration.voters.count) brokers")
        }
        try check(topic.configs)
        return CreateTopicCommand(
            name: topic.name, id: TopicID(using: &random), partitionCount: partitionCount,
            replicationFactor: replicationFactor,
            configs: topic.configs.map { .init(name: $0.name, value: $0.value ?? "") }.sorted { $0.name < $1.name })
    }

    /// Each key once and with a value it can have: what passes is as small as the table of keys.
    private func check(_ configs: [CreateTopicsRequest.Config]) throws(AdminRefusal) {
        var seen: Set<String> = []
        for config in configs {
            if let reason = TopicConfig.reasonToRefuse(config.name, config.value) {
                throw AdminRefusal(.invalidConfig, reason)
            }
            guard seen.insert(config.name).inserted else {
                throw AdminRefusal(.invalidConfig, "the request gives topic config \(config.name) twice")
            }
        }
    }

    private func created(_ command: CreateTopicCommand, id: TopicID) -> CreateTopicsResponse.Topic {
        CreateTopicsResponse.Topic { topic in
            topic.name = command.name
            topic.topicID = id
            topic.numPartitions = command.partitionCount
            topic.replicationFactor = command.replicationFactor
            topic.configs = TopicConfig(command.configs).described.map { entry in
                CreateTopicsResponse.Config {
                    $0.name = entry.name
                    $0.value = entry.value
                    $0.configSource = entry.source
                }
            }
        }
    }

    private static func result(_ name: String, _ code: ErrorCode, _ message: String?) -> CreateTopicsResponse.Topic {
        CreateTopicsResponse.Topic {
            $0.name = name
            $0.errorCode = code
            $0.errorMessage = message
        }
    }
}

/// Why an administrative request was not carried out: the code for programs, the message for people.
struct AdminRefusal: Error, Hashable {
    let code: ErrorCode
    let message: String

    init(_ code: ErrorCode, _ message: String) {
        self.code = code
        self.message = message
    }
}

extension RaftError {
    /// How a command to the metadata shard failed, for its client.
    var metadataErrorCode: ErrorCode {
        switch self {
        case .notLeader: .notController
        case .leadershipLost, .overloaded: .requestTimedOut
        case .commandTooLarge: .invalidRequest
        case .storageFailed, .shutdown: .kafkaStorageError
        }
    }
}
