/// One API as this module knows it.
public struct ApiSupport: Hashable, Sendable {
    public let api: ApiKey
    /// What an ApiVersions response offers.
    public let advertised: ClosedRange<Int16>
    /// What can be read; a request of any other version closes the connection.
    public let decodable: ClosedRange<Int16>
    /// The first version with compact lengths, tagged fields and the newer headers.
    public let flexible: Int16

    init<Request: KafkaRequest>(_: Request.Type, advertised: ClosedRange<Int16>) {
        api = Request.api
        self.advertised = advertised
        decodable = Request.versions
        flexible = Request.flexible
    }

    /// Whether a request of that version is answered. Produce 0–2 is advertised and yet not served.
    public func serves(_ version: Int16) -> Bool {
        advertised.contains(version) && decodable.contains(version)
    }
}

/// The APIs and versions a broker built on this module has.
///
/// An ApiVersions request of a version outside the table is not closed but answered in version 0 with
/// `UNSUPPORTED_VERSION` and the entry of ApiVersions alone; its body and the rest of its header are left unread
/// (KIP-511).
public enum ApiVersionTable {
    /// Ordered by key.
    ///
    /// Produce begins at 0 although 0–2 are refused: librdkafka before 2.12 takes a missing version 0 for a broker
    /// without compression (Kafka does the same, KAFKA-18659). Fetch 18 and newer versions of others add nothing that
    /// a consumer would use.
    public static let supported: [ApiSupport] = [
        ApiSupport(ProduceRequest.self, advertised: 0...13),
        ApiSupport(FetchRequest.self, advertised: 4...17),
        ApiSupport(ListOffsetsRequest.self, advertised: 1...10),
        ApiSupport(MetadataRequest.self, advertised: 0...13),
        ApiSupport(OffsetCommitRequest.self, advertised: 2...10),
        ApiSupport(OffsetFetchRequest.self, advertised: 1...10),
        ApiSupport(FindCoordinatorRequest.self, advertised: 0...6),
        ApiSupport(JoinGroupRequest.self, advertised: 0...9),
        ApiSupport(HeartbeatRequest.self, advertised: 0...4),
        ApiSupport(LeaveGroupRequest.self, advertised: 0...5),
        ApiSupport(SyncGroupRequest.self, advertised: 0...5),
        ApiSupport(DescribeGroupsRequest.self, advertised: 0...6),
        ApiSupport(ListGroupsRequest.self, advertised: 0...5),
        ApiSupport(ApiVersionsRequest.self, advertised: 0...4),
        ApiSupport(CreateTopicsRequest.self, advertised: 2...7),
        ApiSupport(DeleteTopicsRequest.self, advertised: 1...6),
        ApiSupport(DeleteRecordsRequest.self, advertised: 0...2),
        ApiSupport(InitProducerIDRequest.self, advertised: 0...5),
        ApiSupport(OffsetForLeaderEpochRequest.self, advertised: 2...4),
        ApiSupport(DescribeConfigsRequest.self, advertised: 1...4),
        ApiSupport(AlterConfigsRequest.self, advertised: 0...2),
        ApiSupport(DescribeLogDirsRequest.self, advertised: 1...5),
        ApiSupport(CreatePartitionsRequest.self, advertised: 0...3),
        ApiSupport(DeleteGroupsRequest.self, advertised: 0...2),
        ApiSupport(ElectLeadersRequest.self, advertised: 0...2),
        ApiSupport(IncrementalAlterConfigsRequest.self, advertised: 0...1),
        ApiSupport(AlterPartitionReassignmentsRequest.self, advertised: 0...1),
        ApiSupport(ListPartitionReassignmentsRequest.self, advertised: 0...0),
        ApiSupport(OffsetDeleteRequest.self, advertised: 0...0),
        ApiSupport(DescribeQuorumRequest.self, advertised: 0...2),
        ApiSupport(DescribeClusterRequest.self, advertised: 0...2),
        ApiSupport(ConsumerGroupHeartbeatRequest.self, advertised: 0...1),
        ApiSupport(ConsumerGroupDescribeRequest.self, advertised: 0...1),
        ApiSupport(DescribeTopicPartitionsRequest.self, advertised: 0...0),
    ]

    private static let byKey: [ApiSupport?] = {
        var table = [ApiSupport?](repeating: nil, count: 1 + Int(supported.map(\.api.rawValue).max() ?? 0))
        for support in supported { table[Int(support.api.rawValue)] = support }
        return table
    }()

    /// What is known of an API; nil of one whose messages this module cannot read.
    public static subscript(api: ApiKey) -> ApiSupport? {
        let index = Int(api.rawValue)
        return byKey.indices.contains(index) ? byKey[index] : nil
    }
}
