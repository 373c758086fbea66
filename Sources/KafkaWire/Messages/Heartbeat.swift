/// Tells the coordinator that a member is alive, and the member whether the group rebalances.
public struct HeartbeatRequest: KafkaRequest {
    public typealias Response = HeartbeatResponse

    public static let api = ApiKey.heartbeat
    public static let versions: ClosedRange<Int16> = 0...4
    public static let flexible: Int16 = 4

    public var groupID = ""
    public var generationID: Int32 = 0
    public var memberID = ""
    public var groupInstanceID: String?

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.string(&groupID, "GroupId", 0...)
        try f.int32(&generationID, "GenerationId", 0...)
        try f.string(&memberID, "MemberId", 0...)
        try f.string(&groupInstanceID, "GroupInstanceId", 3..., nullable: 3...)
    }
}

public struct HeartbeatResponse: KafkaResponse {
    public typealias Request = HeartbeatRequest

    public var throttleTimeMs: Int32 = 0
    public var errorCode = ErrorCode.none

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 1...)
        try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
    }
}
