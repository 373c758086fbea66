/// Asks a broker which groups it coordinates.
public struct ListGroupsRequest: KafkaRequest {
    public typealias Response = ListGroupsResponse

    public static let api = ApiKey.listGroups
    public static let versions: ClosedRange<Int16> = 0...5
    public static let flexible: Int16 = 3

    public var statesFilter: [String] = []
    public var typesFilter: [String] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.array(&statesFilter, "StatesFilter", 4...)
        try f.array(&typesFilter, "TypesFilter", 5...)
    }
}

public struct ListGroupsResponse: KafkaResponse {
    public typealias Request = ListGroupsRequest

    public struct Group: KafkaStruct {
        public var groupID = ""
        public var protocolType = ""
        public var groupState = ""
        public var groupType = ""

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&groupID, "GroupId", 0...)
            try f.string(&protocolType, "ProtocolType", 0...)
            try f.string(&groupState, "GroupState", 4...)
            try f.string(&groupType, "GroupType", 5...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var errorCode = ErrorCode.none
    public var groups: [Group] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 1...)
        try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
        try f.array(&groups, "Groups", 0...)
    }
}
