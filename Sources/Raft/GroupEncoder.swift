import Basics
import NIOCore
import SegmentLog

/// Encodes groups of blocks, small ones at once on the event loop, large ones on a thread, in the order given.
///
/// Owner: one `RaftNode`, on its event loop.
final class GroupEncoder {
    /// Groups under way on the encoder thread before the node waits: one being encoded, one queued behind it.
    static let groupsMax = 2
    /// Raw bytes taken into one group: enough for several blocks to share the trip to the thread and back.
    static let groupBytesMax = 1.mebibytes

    private let shard: ShardID
    private let compression: BlockCompression
    private let encoder = BlockEncoder()
    private let executor: any StorageExecutor
    private let loop: any EventLoop

    init(shard: ShardID, compression: BlockCompression, executor: any StorageExecutor, eventLoop: any EventLoop) {
        self.shard = shard
        self.executor = executor
        loop = eventLoop
        self.compression = compression
    }

    func encodeInline(_ blocks: [[Entry]]) -> [EncodedBlock] {
        blocks.map { encoder.encode($0, shard: shard, compression: compression) }
    }

    func encode(_ blocks: [[Entry]], completion: @escaping ([EncodedBlock]) -> Void) {
        let bound = NIOLoopBound(completion, eventLoop: loop)
        executor.submit { [loop, encoder, shard, compression] in
            let encoded = blocks.map { encoder.encode($0, shard: shard, compression: compression) }
            loop.execute { bound.value(encoded) }
        }
    }
}
