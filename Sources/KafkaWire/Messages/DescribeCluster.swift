/// Asks for the cluster's id, controller and brokers (KIP-700).
public struct DescribeClusterRequest: KafkaRequest {
    public typealias Response = DescribeClusterResponse

    public static let api = ApiKey.describeCluster
    public static let versions: ClosedRange<Int16> = 0...2
    public static let flexible: Int16 = 0

    public var includeClusterAuthorizedOperations = false
    /// 1 for brokers, 2 for controllers.
    public var endpointType: Int8 = 1
    public var includeFencedBrokers = false

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.bool(&includeClusterAuthorizedOperations, "IncludeClusterAuthorizedOperations", 0...)
        try f.int8(&endpointType, "EndpointType", 1..., default: 1)
        try f.bool(&includeFencedBrokers, "IncludeFencedBrokers", 2...)
    }
}

public struct DescribeClusterResponse: KafkaResponse {
    public typealias Request = DescribeClusterRequest

    public struct Broker: KafkaStruct {
        public var brokerID: Int32 = 0
        public var host = ""
        public var port: Int32 = 0
        public var rack: String?
        public var isFenced = false

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int32(&brokerID, "BrokerId", 0...)
            try f.string(&host, "Host", 0...)
            try f.int32(&port, "Port", 0...)
            try f.string(&rack, "Rack", 0..., nullable: 0...)
            try f.bool(&isFenced, "IsFenced", 2...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var errorCode = ErrorCode.none
    public var errorMessage: String?
    public var endpointType: Int8 = 1
    public var clusterID = ""
    public var controllerID: Int32 = -1
    public var brokers: [Broker] = []
    public var clusterAuthorizedOperations = MetadataResponse.operationsOmitted

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 0...)
        try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
        try f.string(&errorMessage, "ErrorMessage", 0..., nullable: 0...)
        try f.int8(&endpointType, "EndpointType", 1..., default: 1)
        try f.string(&clusterID, "ClusterId", 0...)
        try f.int32(&controllerID, "ControllerId", 0..., default: -1)
        try f.array(&brokers, "Brokers", 0...)
        try f.int32(&clusterAuthorizedOperations, "ClusterAuthorizedOperations", 0..., default: .min)
    }
}
