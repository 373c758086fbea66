/// Asks which APIs and versions the broker has (KIP-35, KIP-511).
public struct ApiVersionsRequest: KafkaRequest {
    public typealias Response = ApiVersionsResponse

    public static let api = ApiKey.apiVersions
    public static let versions: ClosedRange<Int16> = 0...4
    public static let flexible: Int16 = 3

    public var clientSoftwareName = ""
    public var clientSoftwareVersion = ""

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.string(&clientSoftwareName, "ClientSoftwareName", 3...)
        try f.string(&clientSoftwareVersion, "ClientSoftwareVersion", 3...)
    }
}

/// What the broker has. Its header is version 0 whatever the version of its body.
public struct ApiVersionsResponse: KafkaResponse {
    public typealias Request = ApiVersionsRequest

    public struct ApiVersion: KafkaStruct {
        public var api = ApiKey(rawValue: 0)
        public var minVersion: Int16 = 0
        public var maxVersion: Int16 = 0

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.int16(&api.rawValue, "ApiKey", 0...)
            try f.int16(&minVersion, "MinVersion", 0...)
            try f.int16(&maxVersion, "MaxVersion", 0...)
        }
    }

    public struct SupportedFeature: KafkaStruct {
        public var name = ""
        public var minVersion: Int16 = 0
        public var maxVersion: Int16 = 0

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 3...)
            try f.int16(&minVersion, "MinVersion", 3...)
            try f.int16(&maxVersion, "MaxVersion", 3...)
        }
    }

    public struct FinalizedFeature: KafkaStruct {
        public var name = ""
        public var maxVersionLevel: Int16 = 0
        public var minVersionLevel: Int16 = 0

        public init() {}

        public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
            try f.string(&name, "Name", 3...)
            try f.int16(&maxVersionLevel, "MaxVersionLevel", 3...)
            try f.int16(&minVersionLevel, "MinVersionLevel", 3...)
        }
    }

    public var errorCode = ErrorCode.none
    public var apis: [ApiVersion] = []
    public var throttleTimeMs: Int32 = 0
    public var supportedFeatures: [SupportedFeature] = []
    /// Clients regard the finalized features only when this is not negative.
    public var finalizedFeaturesEpoch: Int64 = -1
    public var finalizedFeatures: [FinalizedFeature] = []
    public var zkMigrationReady = false

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
        try f.array(&apis, "ApiKeys", 0...)
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 1...)
        try f.array(&supportedFeatures, "SupportedFeatures", 3..., tag: 0, tagged: 3...)
        try f.int64(&finalizedFeaturesEpoch, "FinalizedFeaturesEpoch", 3..., tag: 1, tagged: 3..., default: -1)
        try f.array(&finalizedFeatures, "FinalizedFeatures", 3..., tag: 2, tagged: 3...)
        try f.bool(&zkMigrationReady, "ZkMigrationReady", 3..., tag: 3, tagged: 3...)
    }
}
