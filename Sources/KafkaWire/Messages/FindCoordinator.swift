/// Asks which broker coordinates a group or a transaction.
public struct FindCoordinatorRequest: KafkaRequest {
    public typealias Response = FindCoordinatorResponse

    public static let api = ApiKey.findCoordinator
    public static let versions: ClosedRange<Int16> = 0...6
    public static let flexible: Int16 = 3

    public var key = ""
    /// 0 for a group, 1 for a transactional id, 2 for a share group.
    public var keyType: Int8 = 0
    /// What ``key`` says from version 4 on.
    public var coordinatorKeys: [String] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.string(&key, "Key", 0...3)
        try f.int8(&keyType, "KeyType", 1...)
        try f.array(&coordinatorKeys, "CoordinatorKeys", 4...)
    }
}

public struct FindCoordinatorResponse: KafkaResponse {
    public typealias Request = FindCoordinatorRequest

    public struct Coordinator: KafkaStruct {
        public var key = ""
        public var nodeID: Int32 = 0
        public var host = ""
        public var port: Int32 = 0
        public var errorCode = ErrorCode.none
        public var errorMessage: String?

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&key, "Key", 4...)
            try f.int32(&nodeID, "NodeId", 4...)
            try f.string(&host, "Host", 4...)
            try f.int32(&port, "Port", 4...)
            try f.int16(&errorCode.rawValue, "ErrorCode", 4...)
            try f.string(&errorMessage, "ErrorMessage", 4..., nullable: 4...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var errorCode = ErrorCode.none
    public var errorMessage: String?
    public var nodeID: Int32 = 0
    public var host = ""
    public var port: Int32 = 0
    /// What the fields above say from version 4 on.
    public var coordinators: [Coordinator] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 1...)
        try f.int16(&errorCode.rawValue, "ErrorCode", 0...3)
        try f.string(&errorMessage, "ErrorMessage", 1...3, nullable: 1...3)
        try f.int32(&nodeID, "NodeId", 0...3)
        try f.string(&host, "Host", 0...3)
        try f.int32(&port, "Port", 0...3)
        try f.array(&coordinators, "Coordinators", 4...)
    }
}
