import NIOCore

/// Brings the leader's assignments to the coordinator, and every member's own back.
public struct SyncGroupRequest: KafkaRequest {
    public typealias Response = SyncGroupResponse

    public static let api = ApiKey.syncGroup
    public static let versions: ClosedRange<Int16> = 0...5
    public static let flexible: Int16 = 4

    public struct Assignment: KafkaStruct {
        public var memberID = ""
        public var assignment = ByteBuffer()

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&memberID, "MemberId", 0...)
            try f.bytes(&assignment, "Assignment", 0...)
        }
    }

    public var groupID = ""
    public var generationID: Int32 = 0
    public var memberID = ""
    public var groupInstanceID: String?
    public var protocolType: String?
    public var protocolName: String?
    /// Of the leader; empty from the others.
    public var assignments: [Assignment] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.string(&groupID, "GroupId", 0...)
        try f.int32(&generationID, "GenerationId", 0...)
        try f.string(&memberID, "MemberId", 0...)
        try f.string(&groupInstanceID, "GroupInstanceId", 3..., nullable: 3...)
        try f.string(&protocolType, "ProtocolType", 5..., nullable: 5...)
        try f.string(&protocolName, "ProtocolName", 5..., nullable: 5...)
        try f.array(&assignments, "Assignments", 0...)
    }
}

public struct SyncGroupResponse: KafkaResponse {
    public typealias Request = SyncGroupRequest

    public var throttleTimeMs: Int32 = 0
    public var errorCode = ErrorCode.none
    public var protocolType: String?
    public var protocolName: String?
    public var assignment = ByteBuffer()

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 1...)
        try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
        try f.string(&protocolType, "ProtocolType", 5..., nullable: 5...)
        try f.string(&protocolName, "ProtocolName", 5..., nullable: 5...)
        try f.bytes(&assignment, "Assignment", 0...)
    }
}
