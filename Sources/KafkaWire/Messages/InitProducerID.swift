/// Asks for a producer id and epoch, for idempotence or for transactions (KIP-98, KIP-360).
public struct InitProducerIDRequest: KafkaRequest {
    public typealias Response = InitProducerIDResponse

    public static let api = ApiKey.initProducerID
    public static let versions: ClosedRange<Int16> = 0...5
    public static let flexible: Int16 = 2

    public var transactionalID: String?
    public var transactionTimeoutMs: Int32 = 0
    /// The id the producer has and wants a newer epoch of; -1 if it has none.
    public var producerID: Int64 = -1
    public var producerEpoch: Int16 = -1

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.string(&transactionalID, "TransactionalId", 0..., nullable: 0...)
        try f.int32(&transactionTimeoutMs, "TransactionTimeoutMs", 0...)
        try f.int64(&producerID, "ProducerId", 3..., default: -1)
        try f.int16(&producerEpoch, "ProducerEpoch", 3..., default: -1)
    }
}

public struct InitProducerIDResponse: KafkaResponse {
    public typealias Request = InitProducerIDRequest

    public var throttleTimeMs: Int32 = 0
    public var errorCode = ErrorCode.none
    public var producerID: Int64 = -1
    public var producerEpoch: Int16 = 0

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&throttleTimeMs, "ThrottleTimeMs", 0...)
        try f.int16(&errorCode.rawValue, "ErrorCode", 0...)
        try f.int64(&producerID, "ProducerId", 0..., default: -1)
        try f.int16(&producerEpoch, "ProducerEpoch", 0...)
    }
}
