import Basics
import KafkaWire
import NIOCore
import Raft

/// Metadata: brokers, topics, leaders; and the creation of topics that a client names for the first time.
extension Broker {
    func describeMetadata(_ request: MetadataRequest, _ context: RequestContext) {
        let context = context.withoutBytes
        whenCaughtUp { [weak self] in self?.answerMetadata(request, context) }
    }

    /// How long a client is told that there is no leader before it is sent elsewhere: longer than most elections take.
    private static let leaderlessMax = TimeAmount.seconds(1)

    /// Whether to end a client's connection because all it can learn here is that nobody leads.
    ///
    /// A broker that is cut off from the others never hears who leads now. Clients that need no other connection
    /// (librdkafka opens those it needs, and the old leader of everything is enough) would ask it until it is healed.
    private func shouldSendElsewhere(_ connection: ClientConnection?) -> Bool {
        guard let connection else { return false }
        guard configuration.voters.count > 1, shards.allSatisfy({ $0.leader == nil }) else {
            connection.leaderlessSince = nil
            return false
        }
        let since = connection.leaderlessSince ?? loop.now
        connection.leaderlessSince = since
        return loop.now - since > Self.leaderlessMax
    }

    private func answerMetadata(_ request: MetadataRequest, _ context: RequestContext) {
        guard !shouldSendElsewhere(context.connection) else { return context.fail() }
        // Version 0 has no null: there an empty list means all topics.
        let wanted = context.version == 0 && request.topics?.isEmpty == true ? nil : request.topics
        guard metadataShard.isServing else {
            return askMetadataLeader(request, context, orElse: { [weak self] isComplete in
                guard let self else { return }
                context.respond(self.metadataResponse(wanted, isComplete: isComplete))
            })
        }
        createMissing(mayAutoCreate(request, context) ? missingTopics(wanted ?? []) : []) { [weak self] in
            guard let self else { return }
            context.respond(self.metadataResponse(wanted, isComplete: self.metadataShard.isServing))
        }
    }

    /// Has the metadata leader answer if the request names topics that this broker does not know: one may just have
    /// been made, or is to be made now.
    ///
    /// - Parameter answer: answers from what is known here, and whether that is all there is.
    private func askMetadataLeader(
        _ request: MetadataRequest, _ context: RequestContext, orElse answer: @escaping (_ isComplete: Bool) -> Void
    ) {
        let unknown = request.topics?.contains { topic in
            topic.name.map { metadata.topic(named: $0) == nil && TopicName.isValid($0) }
                ?? (metadata.topic(topic.topicID) == nil)
        }
        guard unknown == true else { return answer(knowsAllTopics) }
        guard !context.isForwarded, let leader = metadataShard.leader, leader != configuration.nodeID else {
            return answer(false)
        }
        let frame: ByteBuffer
        do {
            frame = try WireFrame(
                request, version: context.version, correlationID: context.header.correlationID, clientID: nil
            ).withoutLength
        } catch {
            // A name that was not UTF-8 may have become too long.
            return answer(false)
        }
        forwarding.forward(frame, to: leader) { response in
            if let response { context.relay(response) } else { answer(false) }
        }
    }

    private func mayAutoCreate(_ request: MetadataRequest, _ context: RequestContext) -> Bool {
        configuration.autoCreateTopics && (context.version < 4 || request.allowAutoTopicCreation)
    }

    /// Valid names among those asked for that are no topics yet, each once: CreateTopics refuses to be told twice.
    private func missingTopics(_ wanted: [MetadataRequest.Topic]) -> [String] {
        var seen: Set<String> = []
        return wanted.compactMap(\.name).filter {
            metadata.topic(named: $0) == nil && TopicName.isValid($0) && !metadata.collides($0)
                && seen.insert($0).inserted
        }
    }

    /// Creates topics, and goes on when that is done or has failed: the answer says what is there by then.
    private func createMissing(_ names: [String], then goOn: @escaping () -> Void) {
        let gathering = Gathering<CreateTopicsResponse.Topic>(count: names.count) { _ in goOn() }
        for (position, name) in names.enumerated() {
            let topic = CreateTopicsRequest.Topic {
                $0.name = name
                $0.numPartitions = -1
                $0.replicationFactor = -1
            }
            create(topic, validateOnly: false) { gathering.set(position, $0) }
        }
    }

    private func metadataResponse(_ wanted: [MetadataRequest.Topic]?, isComplete: Bool) -> MetadataResponse {
        MetadataResponse { response in
            response.brokers = metadata.sortedBrokers.map { broker in
                MetadataResponse.Broker {
                    $0.nodeID = broker.id.rawValue
                    $0.host = broker.host
                    $0.port = broker.port
                    $0.rack = broker.rack
                }
            }
            response.clusterID = metadata.clusterID
            response.controllerID = controllerID
            if let wanted {
                response.topics = wanted.map { describe($0, isComplete: isComplete) }
            } else {
                response.topics = metadata.sortedTopics.map(describe)
            }
        }
    }

    /// The leader of the metadata shard: it carries out what other brokers would pass on. -1 while there is none.
    var controllerID: Int32 {
        reachableLeader(of: metadataShard)?.rawValue ?? -1
    }

    private func describe(_ wanted: MetadataRequest.Topic, isComplete: Bool) -> MetadataResponse.Topic {
        if let name = wanted.name {
            if let topic = metadata.topic(named: name) { return describe(topic) }
            return MetadataResponse.Topic {
                $0.name = name
                // What this broker does not know may exist all the same: the client asks again.
                $0.errorCode = isComplete ? .unknownTopicOrPartition : .leaderNotAvailable
                if !TopicName.isValid(name) { $0.errorCode = .invalidTopicException }
            }
        }
        if let topic = metadata.topic(wanted.topicID) { return describe(topic) }
        return MetadataResponse.Topic {
            $0.topicID = wanted.topicID
            $0.errorCode = isComplete ? .unknownTopicID : .leaderNotAvailable
        }
    }

    private func describe(_ topic: Topic) -> MetadataResponse.Topic {
        return MetadataResponse.Topic { answer in
            answer.name = topic.name
            answer.topicID = topic.id
            answer.partitions = (0..<topic.partitionCount).map { index in
                let shard = shard(of: PartitionKey(topic.number, index))
                let replicas = replicas(of: shard), leader = reachableLeader(of: shard)
                return MetadataResponse.Partition {
                    $0.errorCode = leader == nil ? .leaderNotAvailable : .none
                    $0.partitionIndex = index
                    $0.leaderID = leader?.rawValue ?? -1
                    $0.leaderEpoch = shard.leaderEpoch
                    $0.replicaNodes = replicas
                    $0.isrNodes = replicas
                }
            }
        }
    }

    /// The brokers that have the partitions of a shard, which are all: first the one that is given the first word when
    /// the cluster starts.
    func replicas(of shard: Shard) -> [Int32] {
        let voters = configuration.voters.map(\.rawValue).sorted()
        let preferred = Int(shard.id.rawValue) % voters.count
        return Array(voters[preferred...] + voters[..<preferred])
    }

    /// A shard's leader. One whose address is not known yet cannot be named: clients could not connect.
    func reachableLeader(of shard: Shard) -> NodeID? {
        shard.leader.flatMap { metadata.brokers[$0] }?.id
    }
}
