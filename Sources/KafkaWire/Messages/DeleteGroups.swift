/// Deletes groups that have no members.
public struct DeleteGroupsRequest: KafkaRequest {
    public typealias Response = DeleteGroupsResponse

    public static let api = ApiKey.deleteGroups
    public static let versions: ClosedRange<Int16> = 0...2
    public static let flexible: Int16 = 2

    public var groupsNames: [String] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.array(&groupsNames, "GroupsNames", 0...)
    }
}

public struct DeleteGroupsResponse: KafkaResponse {
    public typealias Request = DeleteGroupsRequest

    public struct Result: KafkaStruct {
        public var groupID = ""
        public var errorCode = ErrorCode.none

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&groupID, "GroupId", 0...)
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var results: [Result] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 0...)
        try f.array(&results, "Results", 0...)
    }
}
