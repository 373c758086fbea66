/// Replaces the whole configuration of resources: keys that are not named go back to their defaults.
public struct AlterConfigsRequest: KafkaRequest {
    public typealias Response = AlterConfigsResponse

    public static let api = ApiKey.alterConfigs
    public static let versions: ClosedRange<Int16> = 0...2
    public static let flexible: Int16 = 2

    public struct Resource: KafkaStruct {
        /// See ``ConfigResourceType``.
        public var resourceType: Int8 = 0
        public var resourceName = ""
        public var configs: [Config] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int8(&resourceType, "ResourceType", 0...)
            try f.string(&resourceName, "ResourceName", 0...)
            try f.array(&configs, "Configs", 0...)
        }
    }

    public struct Config: KafkaStruct {
        public var name = ""
        public var value: String?

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 0...)
            try f.string(&value, "Value", 0..., nullable: 0...)
        }
    }

    public var resources: [Resource] = []
    public var validateOnly = false

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.array(&resources, "Resources", 0...)
        try f.bool(&validateOnly, "ValidateOnly", 0...)
    }
}

public struct AlterConfigsResponse: KafkaResponse {
    public typealias Request = AlterConfigsRequest

    public struct Result: KafkaStruct {
        public var errorCode = ErrorCode.none
        public var errorMessage: String?
        public var resourceType: Int8 = 0
        public var resourceName = ""

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
            try f.string(&errorMessage, "ErrorMessage", 0..., nullable: 0...)
            try f.int8(&resourceType, "ResourceType", 0...)
            try f.string(&resourceName, "ResourceName", 0...)
        }
    }

    public var throttleTimeMs: Int32 = 0
    public var results: [Result] = []

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 0...)
        try f.array(&results, "Responses", 0...)
    }
}
