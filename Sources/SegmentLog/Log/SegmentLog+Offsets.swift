import Basics
import NIOCore

/// Offsets files: see `OffsetsFile`. They are written and read on the reader executor, so that no group commit waits
/// for them.
extension SegmentLog {
    /// Keeps `content` beside a sealed segment, in place of what was kept before.
    ///
    /// - Parameter completion: on the loop, when `loadOffsets` would deliver it. Not durable by then: whoever stores
    ///   it must be able to derive it again.
    public func storeOffsets(
        _ content: ByteBuffer, of segment: LogIndex, completion: @escaping (Result<Void, StorageError>) -> Void
    ) {
        run(completion) { [reader] () throws(StorageError) in
            try OffsetsFile.write(
                content, shard: reader.options.shard, segment: segment, files: reader.files, layout: reader.layout)
        }
    }

    /// What was kept beside a sealed segment.
    ///
    /// - Parameter completion: on the loop. Fails with `.damaged` if it is missing or not whole.
    public func loadOffsets(
        of segment: LogIndex, completion: @escaping (Result<ByteBuffer, StorageError>) -> Void
    ) {
        run(completion) { [reader] () throws(StorageError) in
            let content = try OffsetsFile.read(
                segment, shard: reader.options.shard, files: reader.files, layout: reader.layout)
            if let content { return content }
            throw .damaged([DamagedRange(
                file: LogLayout.offsetsName(segment), position: 0, firstIndex: segment, lastIndex: nil,
                reason: .offsets)])
        }
    }

    private func run<Value: Sendable>(
        _ completion: @escaping (Result<Value, StorageError>) -> Void,
        _ job: @escaping @Sendable () throws(StorageError) -> Value
    ) {
        eventLoop.assertInEventLoop()
        let bound = NIOLoopBound(completion, eventLoop: eventLoop)
        let loop = eventLoop
        readExecutor.submit {
            let result = Result { () throws(StorageError) in try job() }
            loop.execute { bound.value(result) }
        }
    }
}
