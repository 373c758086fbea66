import Basics
import RaftCore
import SegmentLog

/// One message between the nodes of a shard, with the blocks that an append request names.
public struct PeerMessage: Sendable {
    public var shard: ShardID
    public var message: Message
    /// The blocks of an `appendRequest`, in the order of its `BlockInfo`s; empty for every other message.
    public var blocks: [Block]

    public init(shard: ShardID, message: Message, blocks: [Block] = []) {
        self.shard = shard
        self.message = message
        self.blocks = blocks
    }
}

/// Carries messages to the other nodes. Dumb by design: it may lose, delay and repeat them (the core copes), it keeps
/// no window of its own, and it never blocks.
///
/// Called on the event loop of the `RaftNode` that sends. What it receives it hands to `RaftNode.receive`, on that
/// node's loop, and it calls `RaftNode.peerDisconnected` when a connection is lost.
public protocol Transport: AnyObject {
    func send(_ message: PeerMessage, to peer: NodeID)
}
