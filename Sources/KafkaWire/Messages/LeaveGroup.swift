/// Takes members out of a group.
public struct LeaveGroupRequest: KafkaRequest {
    public typealias Response = LeaveGroupResponse

    public static let api = ApiKey.leaveGroup
    public static let versions: ClosedRange<Int16> = 0...5
    public static let flexible: Int16 = 4

    public struct Member: KafkaStruct {
        public var memberID = ""
        public var groupInstanceID: String?
        public var reason: String?

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&memberID, "MemberId", 3...)
            try f.string(&groupInstanceID, "GroupInstanceId", 3..., nullable: 3...)
            try f.string(&reason, "Reason", 5..., nullable: 5...)
        }
    }

    public var groupID = ""
    /// What ``members`` says from version 3 on.
    public var memberID = ""
    public var members: [Member] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.string(&groupID, "GroupId", 0...)
        try f.string(&memberID, "MemberId", 0...2)
        try f.array(&members, "Members", 3...)
    }
}

public struct LeaveGroupResponse: KafkaResponse {
    public typealias Request = LeaveGroupRequest

    public struct Member: KafkaStruct {
        public var memberID = ""
        public var groupInstanceID: String?
        public var errorCode = ErrorCode.none

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&memberID, "MemberId", 3...)
            try f.string(&groupInstanceID, "GroupInstanceId", 3..., nullable: 3...)
            try f.int16(&errorCode.rawValue, "ErrorCode", 3...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var errorCode = ErrorCode.none
    public var members: [Member] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 1...)
        try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
        try f.array(&members, "Members", 3...)
    }
}
