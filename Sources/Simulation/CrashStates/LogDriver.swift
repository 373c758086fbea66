import Basics
import NIOCore
import SegmentLog

/// A log without brokers around it: its loop, its writer and its disk move when told.
///
/// Owner: one `CrashLife`.
final class LogDriver {
    private static let directory = "/log"

    let log: SegmentLog
    private let scheduler = Scheduler()
    private let encoder = BlockEncoder()

    init(disk: SimulatedFileSystem) throws(StorageError) {
        var options = SegmentLogOptions(directory: Self.directory)
        options.segmentBytes = 4.kibibytes
        let life = Life()
        let executor = SimulatedExecutor(scheduler, life: life, latency: { .milliseconds(1) })
        log = try SegmentLog.open(
            options: options, fileSystem: disk, eventLoop: SimulatedLoop(scheduler, life: life), writer: executor,
            reader: executor)
    }

    /// Runs writer, reader and loop until nothing is left to do.
    func settle() { scheduler.run(until: scheduler.now + .seconds(1)) }

    func append(count: Int, payloadBytes: Int, term: UInt64, token: UInt64) -> Block {
        let base = log.lastIndex.next
        let entries = (0..<count).map { number in
            let index = (base + number).rawValue
            var payload = ByteBuffer(integer: index)
            payload.writeRepeatingByte(UInt8(truncatingIfNeeded: index), count: payloadBytes)
            return Entry(type: .command, head: ByteBuffer(integer: index), payload: payload)
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
