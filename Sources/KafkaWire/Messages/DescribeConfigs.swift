/// Asks for the configuration of topics or brokers.
public struct DescribeConfigsRequest: KafkaRequest {
    public typealias Response = DescribeConfigsResponse

    public static let api = ApiKey.describeConfigs
    public static let versions: ClosedRange<Int16> = 1...4
    public static let flexible: Int16 = 4

    public struct Resource: KafkaStruct {
        /// See ``ConfigResourceType``.
        public var resourceType: Int8 = 0
        public var resourceName = ""
        /// Null means all keys.
        public var configurationKeys: [String]? = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int8(&resourceType, "ResourceType", 0...)
            try f.string(&resourceName, "ResourceName", 0...)
            try f.array(&configurationKeys, "ConfigurationKeys", 0..., nullable: 0...)
        }
    }

    public var resources: [Resource] = []
    public var includeSynonyms = false
    public var includeDocumentation = false

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.array(&resources, "Resources", 0...)
        try f.bool(&includeSynonyms, "IncludeSynonyms", 1...)
        try f.bool(&includeDocumentation, "IncludeDocumentation", 3...)
    }
}

public struct DescribeConfigsResponse: KafkaResponse {
    public typealias Request = DescribeConfigsRequest

    public struct Result: KafkaStruct {
        public var errorCode = ErrorCode.none
        public var errorMessage: String?
        public var resourceType: Int8 = 0
        public var resourceName = ""
        public var configs: [Config] = []

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
            try f.string(&errorMessage, "ErrorMessage", 0..., nullable: 0...)
            try f.int8(&resourceType, "ResourceType", 0...)
            try f.string(&resourceName, "ResourceName", 0...)
            try f.array(&configs, "Configs", 0...)
        }
    }

    public struct Config: KafkaStruct {
        public var name = ""
        public var value: String?
        public var readOnly = false
        /// 1 topic, 2 broker, 3 all brokers, 4 static, 5 default, 6 logger.
        public var configSource: Int8 = -1
        public var isSensitive = false
        public var synonyms: [Synonym] = []
        public var configType: Int8 = 0
        public var documentation: String?

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 0...)
            try f.string(&value, "Value", 0..., nullable: 0...)
            try f.bool(&readOnly, "ReadOnly", 0...)
            try f.int8(&configSource, "ConfigSource", 1..., default: -1)
            try f.bool(&isSensitive, "IsSensitive", 0...)
            try f.array(&synonyms, "Synonyms", 1...)
            try f.int8(&configType, "ConfigType", 3...)
            try f.string(&documentation, "Documentation", 3..., nullable: 0...)
        }
    }

    /// A place where the value could also have come from.
    public struct Synonym: KafkaStruct {
        public var name = ""
        public var value: String?
        public var source: Int8 = 0

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 1...)
            try f.string(&value, "Value", 1..., nullable: 0...)
            try f.int8(&source, "Source", 1...)
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
