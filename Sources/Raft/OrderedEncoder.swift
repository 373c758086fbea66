import Basics
import DequeModule
import NIOCore
import SegmentLog

/// Encodes blocks side by side on several threads and gives them back in the order in which they came.
///
/// What is small or only copied is encoded on the event loop: two wake-ups cost more. Owner: one `RaftNode`, on its
/// event loop.
final class OrderedEncoder {
    /// The zstd level while all threads are busy, unless a slow one is asked for: cycles are scarcer then than bytes. A
    /// fifth faster than level 1, and a fifth more bytes.
    private static let hurriedLevel: Int32 = -3

    private struct Job {
        let waiters: [Waiter]
        var block: EncodedBlock?
    }

    private let configuration: RaftConfiguration
    private let encoder: BlockEncoder
    private let threads: [any StorageExecutor]
    private let loop: any EventLoop
    private var backoff = CompressionBackoff()
    /// Blocks on the threads, and those that are done and wait for one before them.
    private var jobs: Deque<Job> = []
    private var firstJob = 0
    /// A block is done; with it comes who waits for its entries. Set once: a closure for each block costs memory.
    var onEncoded: ((EncodedBlock, [Waiter]) -> Void)?
    /// Blocks came back from the threads: there is room for more.
    var onRoom: (() -> Void)?

    init(_ configuration: RaftConfiguration, threads: [any StorageExecutor], eventLoop: any EventLoop) {
        invariant(!threads.isEmpty, "an encoder without threads")
        self.configuration = configuration
        encoder = BlockEncoder(keptPayloadBytesMin: configuration.keptPayloadBytesMin)
        self.threads = threads
        loop = eventLoop
    }

    var isBusy: Bool { !jobs.isEmpty }
    /// Each thread has at most one block at hand and one that waits.
    var hasRoom: Bool { jobs.count < 2 * threads.count }

    /// Encodes the entries of one block. `onEncoded` may be called before this returns.
    func encode(_ entries: [Entry], for waiters: [Waiter]) {
        let attempt = configuration.compression == .off ? nil : backoff.next()
        let compression = attempt == nil ? .off : currentCompression
        let bytes = entries.reduce(0) { $0 + $1.encodedBytes }
        if jobs.isEmpty, attempt != .whole || bytes <= configuration.inlineEncodingBytesMax {
            let block = encoder.encode(
                entries, shard: configuration.shard, compression: compression, attempt: attempt ?? .whole)
            learn(block)
            onEncoded?(block, waiters)
            return
        }
        let number = firstJob + jobs.count
        jobs.append(Job(waiters: waiters))
        let bound = NIOLoopBound(self, eventLoop: loop)
        threads[number % threads.count].submit { [encoder, loop, shard = configuration.shard] in
            let block = encoder.encode(entries, shard: shard, compression: compression, attempt: attempt ?? .whole)
            loop.execute { bound.value.finished(number, block) }
        }
    }

    private var currentCompression: BlockCompression {
        guard case .zstd(let level) = configuration.compression, level <= 1, jobs.count >= threads.count else {
            return configuration.compression
        }
        return .zstd(level: min(level, Self.hurriedLevel))
    }

    private func finished(_ number: Int, _ block: EncodedBlock) {
        learn(block)
        jobs[number - firstJob].block = block
        while let job = jobs.first, let block = job.block {
            jobs.removeFirst()
            firstJob += 1
            onEncoded?(block, job.waiters)
        }
        onRoom?()
    }

    private func learn(_ block: EncodedBlock) {
        if let didShrink = block.didShrink { backoff.record(didShrink: didShrink) }
    }
}
