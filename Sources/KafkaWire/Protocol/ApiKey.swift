/// What a request asks for: the first field of its header.
///
/// A struct and not an enum, because a client may ask for an API this list does not have.
public struct ApiKey: RawRepresentable, Hashable, Sendable {
    public var rawValue: Int16

    public init(rawValue: Int16) { self.rawValue = rawValue }
}

extension ApiKey {
    public static let produce = ApiKey(rawValue: 0)
    public static let fetch = ApiKey(rawValue: 1)
    public static let listOffsets = ApiKey(rawValue: 2)
    public static let metadata = ApiKey(rawValue: 3)
    public static let offsetCommit = ApiKey(rawValue: 8)
    public static let offsetFetch = ApiKey(rawValue: 9)
    public static let findCoordinator = ApiKey(rawValue: 10)
    public static let joinGroup = ApiKey(rawValue: 11)
    public static let heartbeat = ApiKey(rawValue: 12)
    public static let leaveGroup = ApiKey(rawValue: 13)
    public static let syncGroup = ApiKey(rawValue: 14)
    public static let describeGroups = ApiKey(rawValue: 15)
    public static let listGroups = ApiKey(rawValue: 16)
    public static let saslHandshake = ApiKey(rawValue: 17)
    public static let apiVersions = ApiKey(rawValue: 18)
    public static let createTopics = ApiKey(rawValue: 19)
    public static let deleteTopics = ApiKey(rawValue: 20)
    public static let deleteRecords = ApiKey(rawValue: 21)
    public static let initProducerID = ApiKey(rawValue: 22)
    public static let offsetForLeaderEpoch = ApiKey(rawValue: 23)
    public static let addPartitionsToTxn = ApiKey(rawValue: 24)
    public static let addOffsetsToTxn = ApiKey(rawValue: 25)
    public static let endTxn = ApiKey(rawValue: 26)
    public static let writeTxnMarkers = ApiKey(rawValue: 27)
    public static let txnOffsetCommit = ApiKey(rawValue: 28)
    public static let describeAcls = ApiKey(rawValue: 29)
    public static let createAcls = ApiKey(rawValue: 30)
    public static let deleteAcls = ApiKey(rawValue: 31)
    public static let describeConfigs = ApiKey(rawValue: 32)
    public static let alterConfigs = ApiKey(rawValue: 33)
    public static let alterReplicaLogDirs = ApiKey(rawValue: 34)
    public static let describeLogDirs = ApiKey(rawValue: 35)
    public static let saslAuthenticate = ApiKey(rawValue: 36)
    public static let createPartitions = ApiKey(rawValue: 37)
    public static let createDelegationToken = ApiKey(rawValue: 38)
    public static let renewDelegationToken = ApiKey(rawValue: 39)
    public static let expireDelegationToken = ApiKey(rawValue: 40)
    public static let describeDelegationToken = ApiKey(rawValue: 41)
    public static let deleteGroups = ApiKey(rawValue: 42)
    public static let electLeaders = ApiKey(rawValue: 43)
    public static let incrementalAlterConfigs = ApiKey(rawValue: 44)
    public static let alterPartitionReassignments = ApiKey(rawValue: 45)
    public static let listPartitionReassignments = ApiKey(rawValue: 46)
    public static let offsetDelete = ApiKey(rawValue: 47)
    public static let describeClientQuotas = ApiKey(rawValue: 48)
    public static let alterClientQuotas = ApiKey(rawValue: 49)
    public static let describeUserScramCredentials = ApiKey(rawValue: 50)
    public static let alterUserScramCredentials = ApiKey(rawValue: 51)
    public static let describeQuorum = ApiKey(rawValue: 55)
    public static let updateFeatures = ApiKey(rawValue: 57)
    public static let describeCluster = ApiKey(rawValue: 60)
    public static let describeProducers = ApiKey(rawValue: 61)
    public static let unregisterBroker = ApiKey(rawValue: 64)
    public static let describeTransactions = ApiKey(rawValue: 65)
    public static let listTransactions = ApiKey(rawValue: 66)
    public static let consumerGroupHeartbeat = ApiKey(rawValue: 68)
    public static let consumerGroupDescribe = ApiKey(rawValue: 69)
    public static let getTelemetrySubscriptions = ApiKey(rawValue: 71)
    public static let pushTelemetry = ApiKey(rawValue: 72)
    public static let listConfigResources = ApiKey(rawValue: 74)
    public static let describeTopicPartitions = ApiKey(rawValue: 75)
    public static let shareGroupHeartbeat = ApiKey(rawValue: 76)
    public static let shareGroupDescribe = ApiKey(rawValue: 77)
    public static let shareFetch = ApiKey(rawValue: 78)
    public static let shareAcknowledge = ApiKey(rawValue: 79)
    public static let streamsGroupHeartbeat = ApiKey(rawValue: 88)
    public static let streamsGroupDescribe = ApiKey(rawValue: 89)
    public static let describeShareGroupOffsets = ApiKey(rawValue: 90)
    public static let alterShareGroupOffsets = ApiKey(rawValue: 91)
    public static let deleteShareGroupOffsets = ApiKey(rawValue: 92)
    public static let streamsGroupTopologyDescriptionUpdate = ApiKey(rawValue: 93)
}

extension ApiKey: CustomStringConvertible {
    /// The name in Kafka's documentation; of an unknown key its number.
    public var name: String { Self.names[self] ?? "Api\(rawValue)" }

    public var description: String { name }

    private static let names: [ApiKey: String] = [
        .produce: "Produce",
        .fetch: "Fetch",
        .listOffsets: "ListOffsets",
        .metadata: "Metadata",
        .offsetCommit: "OffsetCommit",
        .offsetFetch: "OffsetFetch",
        .findCoordinator: "FindCoordinator",
        .joinGroup: "JoinGroup",
        .heartbeat: "Heartbeat",
        .leaveGroup: "LeaveGroup",
        .syncGroup: "SyncGroup",
        .describeGroups: "DescribeGroups",
        .listGroups: "ListGroups",
        .saslHandshake: "SaslHandshake",
        .apiVersions: "ApiVersions",
        .createTopics: "CreateTopics",
        .deleteTopics: "DeleteTopics",
        .deleteRecords: "DeleteRecords",
        .initProducerID: "InitProducerId",
        .offsetForLeaderEpoch: "OffsetForLeaderEpoch",
        .addPartitionsToTxn: "AddPartitionsToTxn",
        .addOffsetsToTxn: "AddOffsetsToTxn",
        .endTxn: "EndTxn",
        .writeTxnMarkers: "WriteTxnMarkers",
        .txnOffsetCommit: "TxnOffsetCommit",
        .describeAcls: "DescribeAcls",
        .createAcls: "CreateAcls",
        .deleteAcls: "DeleteAcls",
        .describeConfigs: "DescribeConfigs",
        .alterConfigs: "AlterConfigs",
        .alterReplicaLogDirs: "AlterReplicaLogDirs",
        .describeLogDirs: "DescribeLogDirs",
        .saslAuthenticate: "SaslAuthenticate",
        .createPartitions: "CreatePartitions",
        .createDelegationToken: "CreateDelegationToken",
        .renewDelegationToken: "RenewDelegationToken",
        .expireDelegationToken: "ExpireDelegationToken",
        .describeDelegationToken: "DescribeDelegationToken",
        .deleteGroups: "DeleteGroups",
        .electLeaders: "ElectLeaders",
        .incrementalAlterConfigs: "IncrementalAlterConfigs",
        .alterPartitionReassignments: "AlterPartitionReassignments",
        .listPartitionReassignments: "ListPartitionReassignments",
        .offsetDelete: "OffsetDelete",
        .describeClientQuotas: "DescribeClientQuotas",
        .alterClientQuotas: "AlterClientQuotas",
        .describeUserScramCredentials: "DescribeUserScramCredentials",
        .alterUserScramCredentials: "AlterUserScramCredentials",
        .describeQuorum: "DescribeQuorum",
        .updateFeatures: "UpdateFeatures",
        .describeCluster: "DescribeCluster",
        .describeProducers: "DescribeProducers",
        .unregisterBroker: "UnregisterBroker",
        .describeTransactions: "DescribeTransactions",
        .listTransactions: "ListTransactions",
        .consumerGroupHeartbeat: "ConsumerGroupHeartbeat",
        .consumerGroupDescribe: "ConsumerGroupDescribe",
        .getTelemetrySubscriptions: "GetTelemetrySubscriptions",
        .pushTelemetry: "PushTelemetry",
        .listConfigResources: "ListConfigResources",
        .describeTopicPartitions: "DescribeTopicPartitions",
        .shareGroupHeartbeat: "ShareGroupHeartbeat",
        .shareGroupDescribe: "ShareGroupDescribe",
        .shareFetch: "ShareFetch",
        .shareAcknowledge: "ShareAcknowledge",
        .streamsGroupHeartbeat: "StreamsGroupHeartbeat",
        .streamsGroupDescribe: "StreamsGroupDescribe",
        .describeShareGroupOffsets: "DescribeShareGroupOffsets",
        .alterShareGroupOffsets: "AlterShareGroupOffsets",
        .deleteShareGroupOffsets: "DeleteShareGroupOffsets",
        .streamsGroupTopologyDescriptionUpdate: "StreamsGroupTopologyDescriptionUpdate",
    ]
}
