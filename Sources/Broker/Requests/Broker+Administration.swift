import KafkaWire

/// From bytes to handlers: the requests of administrators.
extension Broker {
    func administrate(_ context: RequestContext) throws {
        let body = context.body, version = context.version
        switch context.header.api {
        case .createTopics: createTopics(try CreateTopicsRequest(decoding: body, version: version), context)
        case .deleteTopics: deleteTopics(try DeleteTopicsRequest(decoding: body, version: version), context)
        case .createPartitions: createPartitions(try CreatePartitionsRequest(decoding: body, version: version), context)
        case .deleteRecords: deleteRecords(try DeleteRecordsRequest(decoding: body, version: version), context)
        case .describeConfigs: describeConfigs(try DescribeConfigsRequest(decoding: body, version: version), context)
        case .alterConfigs: alterConfigs(try AlterConfigsRequest(decoding: body, version: version), context)
        case .incrementalAlterConfigs:
            alterConfigs(try IncrementalAlterConfigsRequest(decoding: body, version: version), context)
        case .describeCluster: describeCluster(try DescribeClusterRequest(decoding: body, version: version), context)
        case .describeLogDirs: describeLogDirs(try DescribeLogDirsRequest(decoding: body, version: version), context)
        case .describeQuorum: describeQuorum(try DescribeQuorumRequest(decoding: body, version: version), context)
        case .describeTopicPartitions:
            describeTopicPartitions(try DescribeTopicPartitionsRequest(decoding: body, version: version), context)
        case .electLeaders: electLeaders(try ElectLeadersRequest(decoding: body, version: version), context)
        case .alterPartitionReassignments:
            alterReassignments(try AlterPartitionReassignmentsRequest(decoding: body, version: version), context)
        case .listPartitionReassignments:
            listReassignments(try ListPartitionReassignmentsRequest(decoding: body, version: version), context)
        default: throw RequestError.unknownAPI(context.header.api.rawValue)
        }
    }
}
