import Basics
import DequeModule
import NIOCore
import SegmentLog

/// The least that a durable, replicated broker does with a batch: write it in a group with others, flush, send it to
/// the followers at the same time, and answer when a majority has flushed it.
///
/// Owner: its event loop. What waits is bounded by what the clients have under way.
final class NullNode {
    /// As in Martlet's log: what one group commit takes at most.
    private static let groupBytesMax = 4.mebibytes

    let loop: any EventLoop
    private let ring: RingFile
    private let thread: StorageThread
    private var followers: [FollowerLink] = []
    private var pending: Deque<ByteBuffer> = []
    /// All three count bytes since the start.
    private var appended: UInt64 = 0
    private var taken: UInt64 = 0
    private(set) var flushed: UInt64 = 0
    private var isWriting = false
    private var waiting: Deque<(until: UInt64, body: () -> Void)> = []
    /// Called when more is flushed here.
    var onFlush: ((UInt64) -> Void)?

    init(ring: RingFile, thread: StorageThread, loop: any EventLoop) {
        self.ring = ring
        self.thread = thread
        self.loop = loop
    }

    func add(_ follower: FollowerLink) {
        followers.append(follower)
        follower.onAcknowledgement = { [unowned self] in self.commit() }
    }

    /// Takes bytes, and calls back when a majority has flushed them.
    func append(_ bytes: ByteBuffer, then body: (() -> Void)? = nil) {
        appended += UInt64(bytes.readableBytes)
        pending.append(bytes)
        for follower in followers { follower.send(bytes) }
        if let body { waiting.append((appended, body)) }
        if !isWriting { write() }
    }

    private func write() {
        var group: [ByteBuffer] = []
        var bytes = 0
        while let next = pending.first, group.isEmpty || bytes + next.readableBytes <= Self.groupBytesMax {
            bytes += next.readableBytes
            group.append(pending.removeFirst())
        }
        let position = taken
        taken += UInt64(bytes)
        isWriting = true
        let node = NIOLoopBound(self, eventLoop: loop)
        thread.submit { [ring, loop, group] in
            let result = Result { () throws(StorageError) in try ring.write(group, at: position) }
            loop.execute { node.value.written(result) }
        }
    }

    private func written(_ result: Result<Void, StorageError>) {
        if case .failure(let error) = result { fatalError("the file cannot be written: \(error)") }
        isWriting = false
        flushed = taken
        if !pending.isEmpty { write() }
        onFlush?(flushed)
        commit()
    }

    private func commit() {
        let reached = ([flushed] + followers.map(\.acknowledged)).sorted(by: >)
        let committed = reached[reached.count / 2]
        while let first = waiting.first, first.until <= committed {
            waiting.removeFirst()
            first.body()
        }
    }
}
