/// The leader of a partition, for a client that asked another broker (KIP-951). Part of Produce and Fetch responses;
/// both have had it in every version that mentions it.
public struct LeaderIDAndEpoch: KafkaStruct {
    public var leaderID: Int32 = -1
    public var leaderEpoch: Int32 = -1

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&leaderID, "LeaderId", 0..., default: -1)
        try f.int32(&leaderEpoch, "LeaderEpoch", 0..., default: -1)
    }
}

/// Where a leader named in the same response listens (KIP-951).
public struct NodeEndpoint: KafkaStruct {
    public var nodeID: Int32 = 0
    public var host = ""
    public var port: Int32 = 0
    public var rack: String?

    public init() {}

    public mutating func fields<Coder: FieldCoder>(_ f: inout Coder) throws(WireError) {
        try f.int32(&nodeID, "NodeId", 0...)
        try f.string(&host, "Host", 0...)
        try f.int32(&port, "Port", 0...)
        try f.string(&rack, "Rack", 0..., nullable: 0...)
    }
}
