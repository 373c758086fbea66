import NIOCore

/// Joins a group, or takes part in its rebalance: answered when the members of the new generation are known.
public struct JoinGroupRequest: KafkaRequest {
    public typealias Response = JoinGroupResponse

    public static let api = ApiKey.joinGroup
    public static let versions: ClosedRange<Int16> = 0...9
    public static let flexible: Int16 = 6

    public struct SupportedProtocol: KafkaStruct {
        public var name = ""
        public var metadata = ByteBuffer()

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 0...)
            try f.bytes(&metadata, "Metadata", 0...)
        }
    }

    public var groupID = ""
    public var sessionTimeoutMs: Int32 = 0
    /// How long the member may take to rejoin; in version 0 the session timeout says so.
    public var rebalanceTimeoutMs: Int32 = -1
    /// Empty for one that has none yet.
    public var memberID = ""
    public var groupInstanceID: String?
    public var protocolType = ""
    /// What the member can be assigned by, best first.
    public var protocols: [SupportedProtocol] = []
    public var reason: String?

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.string(&groupID, "GroupId", 0...)
        try f.int32(&sessionTimeoutMs, "SessionTimeoutMs", 0...)
        try f.int32(&rebalanceTimeoutMs, "RebalanceTimeoutMs", 1..., default: -1)
        try f.string(&memberID, "MemberId", 0...)
        try f.string(&groupInstanceID, "GroupInstanceId", 5..., nullable: 5...)
        try f.string(&protocolType, "ProtocolType", 0...)
        try f.array(&protocols, "Protocols", 0...)
        try f.string(&reason, "Reason", 8..., nullable: 8...)
    }
}

public struct JoinGroupResponse: KafkaResponse {
    public typealias Request = JoinGroupRequest

    public struct Member: KafkaStruct {
        public var memberID = ""
        public var groupInstanceID: String?
        public var metadata = ByteBuffer()

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&memberID, "MemberId", 0...)
            try f.string(&groupInstanceID, "GroupInstanceId", 5..., nullable: 5...)
            try f.bytes(&metadata, "Metadata", 0...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var errorCode = ErrorCode.none
    public var generationID: Int32 = -1
    public var protocolType: String?
    /// Null only in an answer that is an error, and only from version 7 on.
    public var protocolName: String? = ""
    /// The member that assigns.
    public var leader = ""
    /// The leader has come back to a generation that has its assignments (KIP-814).
    public var skipAssignment = false
    public var memberID = ""
    /// All members for the leader, none for the others.
    public var members: [Member] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 2...)
        try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
        try f.int32(&generationID, "GenerationId", 0..., default: -1)
        try f.string(&protocolType, "ProtocolType", 7..., nullable: 7...)
        try f.string(&protocolName, "ProtocolName", 0..., nullable: 7..., default: "")
        try f.string(&leader, "Leader", 0...)
        try f.bool(&skipAssignment, "SkipAssignment", 9...)
        try f.string(&memberID, "MemberId", 0...)
        try f.array(&members, "Members", 0...)
    }
}
