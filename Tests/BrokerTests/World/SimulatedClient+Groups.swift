import KafkaWire
import NIOCore

@testable import Broker

/// The requests of group members, for one group and one partition at a time.
extension SimulatedClient {
    static func joinRequest(
        _ group: String, memberID: String = "", instanceID: String? = nil, protocols: [String] = ["range"],
        topics: [String] = ["t"], sessionTimeout: Int32 = 10_000, rebalanceTimeout: Int32 = 10_000
    ) -> JoinGroupRequest {
        JoinGroupRequest { request in
            request.groupID = group
            request.memberID = memberID
            request.groupInstanceID = instanceID
            request.sessionTimeoutMs = sessionTimeout
            request.rebalanceTimeoutMs = rebalanceTimeout
            request.protocolType = "consumer"
            request.protocols = protocols.map { name in
                JoinGroupRequest.SupportedProtocol {
                    $0.name = name
                    $0.metadata = .subscription(to: topics)
                }
            }
        }
    }

    /// Joins as a client does, with the id that it is given first if it has to.
    func join(
        _ group: String, memberID: String = "", instanceID: String? = nil, version: Int16 = 9
    ) throws -> JoinGroupResponse {
        let answer = try call(
            Self.joinRequest(group, memberID: memberID, instanceID: instanceID), version: version)
        guard answer.errorCode == .memberIDRequired else { return answer }
        return try call(Self.joinRequest(group, memberID: answer.memberID), version: version)
    }

    static func syncRequest(
        _ group: String, _ joined: JoinGroupResponse, instanceID: String? = nil, _ assignments: [String: String] = [:]
    ) -> SyncGroupRequest {
        SyncGroupRequest { request in
            request.groupID = group
            request.generationID = joined.generationID
            request.memberID = joined.memberID
            request.groupInstanceID = instanceID
            request.protocolType = joined.protocolType
            request.protocolName = joined.protocolName
            request.assignments = assignments.sorted { $0.key < $1.key }.map { member, text in
                SyncGroupRequest.Assignment {
                    $0.memberID = member
                    $0.assignment = ByteBuffer(string: text)
                }
            }
        }
    }

    /// Joins an empty group and assigns everything to itself: a stable group of one.
    func becomeOnlyMember(of group: String, instanceID: String? = nil) throws -> JoinGroupResponse {
        let joined = try join(group, instanceID: instanceID)
        let request = Self.syncRequest(group, joined, instanceID: instanceID, [joined.memberID: "all"])
        let synced = try call(request)
        guard joined.errorCode == .none, synced.errorCode == .none else {
            throw UnexpectedAnswer("\(joined) \(synced)")
        }
        return joined
    }

    func heartbeat(_ group: String, _ joined: JoinGroupResponse, instanceID: String? = nil) throws -> ErrorCode {
        try call(
            HeartbeatRequest {
                $0.groupID = group
                $0.generationID = joined.generationID
                $0.memberID = joined.memberID
                $0.groupInstanceID = instanceID
            }
        ).errorCode
    }

    /// Commits one offset, by nobody unless a member is given.
    func commit(
        _ group: String, _ offset: Int64, topic: String = "t", partition: Int32 = 0,
        as member: JoinGroupResponse? = nil, metadata: String? = nil, version: Int16 = 9, topicID: TopicID = .zero
    ) throws -> ErrorCode? {
        let request = OffsetCommitRequest { request in
            request.groupID = group
            request.generationIDOrMemberEpoch = member?.generationID ?? -1
            request.memberID = member?.memberID ?? ""
            request.topics = [
                OffsetCommitRequest.Topic {
                    $0.name = topic
                    $0.topicID = topicID
                    $0.partitions = [
                        OffsetCommitRequest.Partition {
                            $0.partitionIndex = partition
                            $0.committedOffset = offset
                            $0.committedLeaderEpoch = 7
                            $0.committedMetadata = metadata
                        }
                    ]
                }
            ]
        }
        return try call(request, version: version).topics.first?.partitions.first?.errorCode
    }

    /// What one group has committed for partition 0 of a topic.
    func committed(_ group: String, topic: String = "t") throws -> OffsetFetchResponse.Partition? {
        let request = OffsetFetchRequest { request in
            request.groups = [
                OffsetFetchRequest.Group { wanted in
                    wanted.groupID = group
                    wanted.topics = [
                        OffsetFetchRequest.GroupTopic {
                            $0.name = topic
                            $0.partitionIndexes = [0]
                        }
                    ]
                }
            ]
        }
        let answer = try call(request, version: 9).groups.first
        guard answer?.errorCode == ErrorCode.none else { throw UnexpectedAnswer("\(String(describing: answer))") }
        return answer?.topics.first?.partitions.first
    }
}
