/// Changes single keys of the configuration of resources (KIP-339).
public struct IncrementalAlterConfigsRequest: KafkaRequest {
    public typealias Response = IncrementalAlterConfigsResponse

    public static let api = ApiKey.incrementalAlterConfigs
    public static let versions: ClosedRange<Int16> = 0...1
    public static let flexible: Int16 = 1

    /// What is done with a key.
    public enum Operation {
        public static let set: Int8 = 0
        /// Back to the default.
        public static let delete: Int8 = 1
        /// Adds elements to a list.
        public static let append: Int8 = 2
        /// Takes elements from a list.
        public static let subtract: Int8 = 3
    }

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
        /// See ``Operation``.
        public var configOperation: Int8 = 0
        public var value: String?

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 0...)
            try f.int8(&configOperation, "ConfigOperation", 0...)
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

public struct IncrementalAlterConfigsResponse: KafkaResponse {
    public typealias Request = IncrementalAlterConfigsRequest

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
