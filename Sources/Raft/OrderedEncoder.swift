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
    private var backoff = CompressionBackoff()
    private let executor: any StorageExecutor
    private let loop: any EventLoop

    init(shard: ShardID, compression: BlockCompression, executor: any StorageExecutor, eventLoop: any EventLoop) {
        self.shard = shard
        self.executor = executor
        loop = eventLoop
        self.compression = compression
    }

    func encodeInline(_ blocks: [[Entry]]) -> [EncodedBlock] {
        learn(zip(blocks, plan(blocks)).map { encoder.encode($0, shard: shard, compression: $1) })
    }

    func encode(_ blocks: [[Entry]], completion: @escaping ([EncodedBlock]) -> Void) {
        let bound = NIOLoopBound((self, completion), eventLoop: loop)
        executor.submit { [loop, encoder, shard, plan = plan(blocks)] in
            let encoded = zip(blocks, plan).map { encoder.encode($0, shard: shard, compression: $1) }
            loop.execute {
                let (group, completion) = bound.value
                completion(group.learn(encoded))
            }
        }
    }

    private func plan(_ blocks: [[Entry]]) -> [BlockCompression] {
        guard compression != .off else { return blocks.map { _ in .off } }
        return blocks.map { _ in backoff.shouldTry() ? compression : .off }
    }

    private func learn(_ blocks: [EncodedBlock]) -> [EncodedBlock] {
        for block in blocks {
            if let didShrink = block.didShrink { backoff.record(didShrink: didShrink) }
        }
        return blocks
    }
}
