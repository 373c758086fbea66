import NIOCore

/// Asks for the members of groups of the classic protocol.
public struct DescribeGroupsRequest: KafkaRequest {
    public typealias Response = DescribeGroupsResponse

    public static let api = ApiKey.describeGroups
    public static let versions: ClosedRange<Int16> = 0...6
    public static let flexible: Int16 = 5

    public var groups: [String] = []
    public var includeAuthorizedOperations = false

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.array(&groups, "Groups", 0...)
        try f.bool(&includeAuthorizedOperations, "IncludeAuthorizedOperations", 3...)
    }
}

public struct DescribeGroupsResponse: KafkaResponse {
    public typealias Request = DescribeGroupsRequest

    public struct Group: KafkaStruct {
        public var errorCode = ErrorCode.none
        public var errorMessage: String?
        public var groupID = ""
        public var groupState = ""
        public var protocolType = ""
        public var protocolData = ""
        public var members: [Member] = []
        public var authorizedOperations = Int32.min

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
            try f.string(&errorMessage, "ErrorMessage", 6..., nullable: 6...)
            try f.string(&groupID, "GroupId", 0...)
            try f.string(&groupState, "GroupState", 0...)
            try f.string(&protocolType, "ProtocolType", 0...)
            try f.string(&protocolData, "ProtocolData", 0...)
            try f.array(&members, "Members", 0...)
            try f.int32(&authorizedOperations, "AuthorizedOperations", 3..., default: .min)
        }
    }

    public struct Member: KafkaStruct {
        public var memberID = ""
        public var groupInstanceID: String?
        public var clientID = ""
        public var clientHost = ""
        public var memberMetadata = ByteBuffer()
        public var memberAssignment = ByteBuffer()

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&memberID, "MemberId", 0...)
            try f.string(&groupInstanceID, "GroupInstanceId", 4..., nullable: 4...)
            try f.string(&clientID, "ClientId", 0...)
            try f.string(&clientHost, "ClientHost", 0...)
            try f.bytes(&memberMetadata, "MemberMetadata", 0...)
            try f.bytes(&memberAssignment, "MemberAssignment", 0...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var groups: [Group] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 1...)
        try f.array(&groups, "Groups", 0...)
    }
}
