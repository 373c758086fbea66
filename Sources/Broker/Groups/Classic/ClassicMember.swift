import NIOCore

/// A member of a group of the classic protocol.
struct ClassicMember {
    var memberID: String
    /// Of a static member (KIP-345): the name under which it comes back.
    var instanceID: String?
    var clientID: String
    var clientHost: String
    /// Milliseconds, as the next.
    var sessionTimeout: Int32
    var rebalanceTimeout: Int32
    var protocols: [ClassicJoin.SupportedProtocol]
    /// When it joined, counted: gives the members an order that all replicas know.
    var joinOrder: UInt64
    /// Whether it has (re)joined since the last rebalance began.
    var hasJoined = false
    /// The generation that it believes in because the group was of the new protocol until now; it counts until the
    /// next one is made.
    var formerGeneration: Int32?
    /// What the leader gave it; empty until then.
    var assignment = ByteBuffer()

    init(_ join: ClassicJoin, joinOrder: UInt64) {
        memberID = join.member.memberID
        instanceID = join.member.instanceID
        clientID = join.clientID
        clientHost = join.clientHost
        sessionTimeout = join.sessionTimeout
        rebalanceTimeout = join.rebalanceTimeout
        protocols = join.protocols
        self.joinOrder = joinOrder
    }

    /// A member whose group was of the new protocol until now.
    init?(_ member: ConsumerGroupMember, joinOrder: UInt64) {
        guard let traits = member.classic else { return nil }
        memberID = member.id
        instanceID = member.instanceID
        clientID = member.clientID
        clientHost = member.clientHost
        sessionTimeout = traits.sessionTimeout
        rebalanceTimeout = member.rebalanceTimeout
        protocols = traits.protocols
        formerGeneration = member.epoch
        self.joinOrder = joinOrder
    }

    /// Takes over what the member says of itself now.
    mutating func update(_ join: ClassicJoin) {
        clientID = join.clientID
        clientHost = join.clientHost
        sessionTimeout = join.sessionTimeout
        rebalanceTimeout = join.rebalanceTimeout
        protocols = join.protocols
    }

    func supports(_ name: String) -> Bool { protocols.contains { $0.name == name } }

    /// What the member says for a protocol; nothing if it does not support it.
    func metadata(for name: String?) -> ByteBuffer {
        protocols.first { $0.name == name }?.metadata ?? ByteBuffer()
    }
}
