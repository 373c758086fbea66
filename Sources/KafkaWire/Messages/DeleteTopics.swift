/// Deletes topics, by name or (version 6 on) by id.
public struct DeleteTopicsRequest: KafkaRequest {
    public typealias Response = DeleteTopicsResponse

    public static let api = ApiKey.deleteTopics
    public static let versions: ClosedRange<Int16> = 1...6
    public static let flexible: Int16 = 4

    public struct Topic: KafkaStruct {
        /// Null when the topic is given by its id.
        public var name: String?
        public var topicID = TopicID.zero

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 6..., nullable: 6...)
            try f.uuid(&topicID, "TopicId", 6...)
        }
    }

    public var topics: [Topic] = []
    /// What ``topics`` says from version 6 on.
    public var topicNames: [String] = []
    public var timeoutMs: Int32 = 0

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.array(&topics, "Topics", 6...)
        try f.array(&topicNames, "TopicNames", 0...5)
        try f.int32(&timeoutMs, "TimeoutMs", 0...)
    }
}

public struct DeleteTopicsResponse: KafkaResponse {
    public typealias Request = DeleteTopicsRequest

    public struct Topic: KafkaStruct {
        public var name: String?
        public var topicID = TopicID.zero
        public var errorCode = ErrorCode.none
        public var errorMessage: String?

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 0..., nullable: 6...)
            try f.uuid(&topicID, "TopicId", 6...)
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
            try f.string(&errorMessage, "ErrorMessage", 5..., nullable: 5...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var topics: [Topic] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 1...)
        try f.array(&topics, "Responses", 0...)
    }
}
