import Basics
import KafkaWire
import NIOCore
import Raft
import RaftCore

/// DescribeQuorum (KIP-595): how the replication of the metadata shard stands, as its leader sees it. What Kafka's
/// tools take for offsets are numbers of entries in the shard's log.
extension Broker {
    func describeQuorum(_ request: DescribeQuorumRequest, _ context: RequestContext) {
        func respond(_ describe: (DescribeQuorumRequest.Topic, Int32) -> DescribeQuorumResponse.Partition) {
            context.respond(DescribeQuorumResponse { response in
                response.topics = request.topics.map { topic in
                    DescribeQuorumResponse.Topic { answer in
                        answer.topicName = topic.topicName
                        answer.partitions = topic.partitions.map { describe(topic, $0.partitionIndex) }
                    }
                }
                response.nodes = quorumNodes
            })
        }
        let refuse = {
            respond { _, index in Self.refusal(.notLeaderOrFollower, index, "the metadata leader cannot be reached") }
        }
        guard !forwardToMetadataLeader(context, orElse: refuse) else { return }
        respond { topic, index in
            guard topic.topicName == DescribeQuorumRequest.metadataTopic, index == 0 else {
                return Self.refusal(.unknownTopicOrPartition, index, "only partition 0 of the metadata has a quorum")
            }
            return quorum
        }
    }

    private static func refusal(
        _ code: ErrorCode, _ index: Int32, _ message: String
    ) -> DescribeQuorumResponse.Partition {
        DescribeQuorumResponse.Partition {
            $0.partitionIndex = index
            $0.errorCode = code
            $0.errorMessage = message
            $0.leaderID = -1
        }
    }

    private var quorum: DescribeQuorumResponse.Partition {
        let node = metadataShard.node
        return DescribeQuorumResponse.Partition {
            $0.leaderID = configuration.nodeID.rawValue
            $0.leaderEpoch = metadataShard.leaderEpoch
            $0.highWatermark = Self.end(of: node.commitIndex)
            $0.currentVoters = ([leaderState] + node.peers.map(state)).sorted { $0.replicaID < $1.replicaID }
        }
    }

    private var leaderState: DescribeQuorumResponse.Replica {
        DescribeQuorumResponse.Replica {
            $0.replicaID = configuration.nodeID.rawValue
            $0.logEndOffset = Self.end(of: metadataShard.node.lastIndex)
            $0.lastFetchTimestamp = wallClock()
            $0.lastCaughtUpTimestamp = $0.lastFetchTimestamp
        }
    }

    private func state(of peer: PeerStatus) -> DescribeQuorumResponse.Replica {
        let now = Instant(nanoseconds: Int64(bitPattern: loop.now.uptimeNanoseconds))
        let contact = wallClock() - max((now - peer.lastContact).nanoseconds, 0) / 1_000_000
        return DescribeQuorumResponse.Replica {
            $0.replicaID = peer.id.rawValue
            $0.logEndOffset = Self.end(of: peer.match)
            $0.lastFetchTimestamp = contact
            // When one that is behind was last up with the leader, nobody remembers.
            $0.lastCaughtUpTimestamp = peer.match >= metadataShard.node.lastIndex ? contact : -1
        }
    }

    private var quorumNodes: [DescribeQuorumResponse.Node] {
        metadata.sortedBrokers.map { broker in
            DescribeQuorumResponse.Node { node in
                node.nodeID = broker.id.rawValue
                node.listeners = [
                    DescribeQuorumResponse.Listener {
                        $0.name = "PLAINTEXT"
                        $0.host = broker.host
                        $0.port = UInt16(clamping: broker.port)
                    }
                ]
            }
        }
    }

    /// The offset behind the entry at `index`, where offsets begin at 0 and indexes at 1.
    private static func end(of index: LogIndex) -> Int64 { Int64(index.rawValue) }
}
