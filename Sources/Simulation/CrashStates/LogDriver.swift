import Basics
import NIOCore
import SegmentLog

/// The size of a block. There are few, so that a block often has the size of the one that stood in its place before:
/// what was cut off behind that one would then follow it.
struct BlockShape {
    static let entriesMax = 2

    var entries: Int
    var payloadBytes: Int

    static func drawn(using random: inout RandomSource) -> BlockShape {
        let shapes = [BlockShape(entries: 1, payloadBytes: 40), .init(entries: 1, payloadBytes: 200),
            .init(entries: entriesMax, payloadBytes: 350), .init(entries: 1, payloadBytes: 700)]
        return shapes[Int(random.next() % UInt64(shapes.count))]
    }
}

/// A log without brokers around it: its loop, its writer and its disk move when told.
///
/// Owner: whoever opened it.
final class LogDriver {
    static let directory = "/log"

    let log: SegmentLog
    private let scheduler = Scheduler()
    private let encoder = BlockEncoder()

    init(disk: SimulatedFileSystem, preallocates: Bool) throws(StorageError) {
        var options = SegmentLogOptions(directory: Self.directory)
        options.segmentBytes = 4.kibibytes
        options.preallocate = preallocates
        let life = Life()
        let executor = SimulatedExecutor(scheduler, life: life, latency: { .milliseconds(1) })
        log = try SegmentLog.open(
            options: options, fileSystem: disk, eventLoop: SimulatedLoop(scheduler, life: life), writer: executor,
            reader: SimulatedExecutor(scheduler, life: life, latency: { .microseconds(200) }))
    }

    // What is still to happen holds the writer, and the writer this.
    deinit { scheduler.clear() }

    /// Runs writer, reader and loop until nothing is left to do.
    func settle() { scheduler.run(until: scheduler.now + .seconds(1)) }

    /// Appends a block whose bytes follow from its index and `token`.
    func append(_ shape: BlockShape, term: UInt64, token: UInt64) -> Block {
        let base = log.lastIndex.next
        let entries = (0..<shape.entries).map { number in
            var payload = ByteBuffer(integer: token)
            payload.writeRepeatingByte(UInt8(truncatingIfNeeded: (base + number).rawValue), count: shape.payloadBytes)
            return Entry(type: .command, head: ByteBuffer(integer: (base + number).rawValue), payload: payload)
        }
        let encoded = encoder.encode(entries, shard: .metadata, compression: .off)
        return log.append(encoded, base: base, term: Term(term), token: token)
    }

    /// Every block of the log, one read after the other.
    func readAll() throws(StorageError) -> [Block] {
        var blocks: [Block] = []
        var next = log.firstIndex
        while log.lastIndex > .zero, next <= log.lastIndex {
            var result: Result<[Block], StorageError>?
            log.read(from: next, maxBytes: 64.kibibytes) { result = $0 }
            settle()
            guard let more = try result?.get(), let last = more.last else { return blocks }
            blocks += more
            next = last.last.next
        }
        return blocks
    }

    func close() {
        log.close {}
        settle()
    }
}
