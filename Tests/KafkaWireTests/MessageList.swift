import KafkaWire
import Testing

/// Every message of the module; a message that is missing here is not tested.
let allMessages: [any KafkaMessage.Type] = [
    ProduceRequest.self, ProduceResponse.self,
    FetchRequest.self, FetchResponse.self,
    ListOffsetsRequest.self, ListOffsetsResponse.self,
    MetadataRequest.self, MetadataResponse.self,
    OffsetCommitRequest.self, OffsetCommitResponse.self,
    OffsetFetchRequest.self, OffsetFetchResponse.self,
    FindCoordinatorRequest.self, FindCoordinatorResponse.self,
    JoinGroupRequest.self, JoinGroupResponse.self,
    HeartbeatRequest.self, HeartbeatResponse.self,
    LeaveGroupRequest.self, LeaveGroupResponse.self,
    SyncGroupRequest.self, SyncGroupResponse.self,
    DescribeGroupsRequest.self, DescribeGroupsResponse.self,
    ListGroupsRequest.self, ListGroupsResponse.self,
    ApiVersionsRequest.self, ApiVersionsResponse.self,
    CreateTopicsRequest.self, CreateTopicsResponse.self,
    DeleteTopicsRequest.self, DeleteTopicsResponse.self,
    InitProducerIDRequest.self, InitProducerIDResponse.self,
    OffsetForLeaderEpochRequest.self, OffsetForLeaderEpochResponse.self,
    DescribeConfigsRequest.self, DescribeConfigsResponse.self,
    CreatePartitionsRequest.self, CreatePartitionsResponse.self,
    DeleteGroupsRequest.self, DeleteGroupsResponse.self,
    OffsetDeleteRequest.self, OffsetDeleteResponse.self,
    DescribeClusterRequest.self, DescribeClusterResponse.self,
    ConsumerGroupHeartbeatRequest.self, ConsumerGroupHeartbeatResponse.self,
    ConsumerGroupDescribeRequest.self, ConsumerGroupDescribeResponse.self,
    DeleteRecordsRequest.self, DeleteRecordsResponse.self,
    AlterConfigsRequest.self, AlterConfigsResponse.self,
    IncrementalAlterConfigsRequest.self, IncrementalAlterConfigsResponse.self,
    DescribeLogDirsRequest.self, DescribeLogDirsResponse.self,
    ElectLeadersRequest.self, ElectLeadersResponse.self,
    AlterPartitionReassignmentsRequest.self, AlterPartitionReassignmentsResponse.self,
    ListPartitionReassignmentsRequest.self, ListPartitionReassignmentsResponse.self,
    DescribeTopicPartitionsRequest.self, DescribeTopicPartitionsResponse.self,
    DescribeQuorumRequest.self, DescribeQuorumResponse.self,
]

/// One version of one message.
struct MessageVersion: CustomTestStringConvertible, Sendable {
    let message: any KafkaMessage.Type
    let version: Int16

    var testDescription: String { "\(message) v\(version)" }

    static let all = allMessages.flatMap { message in
        message.versions.map { MessageVersion(message: message, version: $0) }
    }
}
