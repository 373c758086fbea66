import Basics
import NIOCore
import NIOEmbedded

@testable import SegmentLog

/// One log in a simulated world: its loop, its writer and its disk move when the test says so.
final class LogFixture {
    static let directory = "data/shard-0"

    let disk: SimulatedFileSystem
    let loop = EmbeddedEventLoop()
    let writer = ManualExecutor()
    let reader = ManualExecutor()
    let encoder = BlockEncoder()
    let log: SegmentLog

    /// What `onFlushed` has told.
    private(set) var flushed: [Flushed] = []
    private(set) var failures: [StorageError] = []

    struct Flushed: Hashable {
        var token: UInt64
        var through: LogIndex
    }

    init(
        disk: SimulatedFileSystem = SimulatedFileSystem(), readHelpers: [any StorageExecutor] = [],
        _ configure: (inout SegmentLogOptions) -> Void = { _ in }
    ) throws(StorageError) {
        self.disk = disk
        log = try SegmentLog.open(
            options: Self.options(configure), fileSystem: disk, eventLoop: loop, writer: writer, reader: reader,
            readHelpers: readHelpers)
        log.onFlushed = { [unowned self] in flushed.append(Flushed(token: $0, through: $1)) }
        log.onFailure = { [unowned self] in failures.append($0) }
    }

    static func options(_ configure: (inout SegmentLogOptions) -> Void = { _ in }) -> SegmentLogOptions {
        var options = SegmentLogOptions(directory: directory)
        options.segmentBytes = 4_096
        configure(&options)
        return options
    }

    static func path(_ name: String) -> String { directory + "/" + name }
    static func segmentPath(_ base: UInt64) -> String { path(LogLayout.segmentName(LogIndex(base))) }

    var segments: [SegmentIndex.Segment] { Array(log.index.segments) }

    /// Runs writer, reader and loop until nothing is left to do.
    func settle() {
        while writer.pending + reader.pending > 0 {
            writer.runAll()
            reader.runAll()
            loop.run()
        }
        loop.run()
    }

    /// Appends a block of `count` entries behind the log's end.
    @discardableResult
    func append(count: Int = 1, payloadBytes: Int = 100, term: UInt64 = 1, token: UInt64 = 0) -> Block {
        let base = log.lastIndex.next
        return log.append(
            encoder.encode(
                .numbered(count, from: base, bytes: payloadBytes), shard: .metadata, compression: .off),
            base: base, term: Term(term), token: token)
    }

    /// Reads all blocks from `index` on, as far as the log has them in one piece.
    func read(from index: UInt64, maxBytes: Int = .max) throws(StorageError) -> [Block] {
        var result: Result<[Block], StorageError>?
        log.read(from: LogIndex(index), maxBytes: maxBytes) { result = $0 }
        settle()
        guard let result else { preconditionFailure("the read was never answered") }
        return try result.get()
    }

    func readHeads(from index: LogIndex) throws(StorageError) -> [BlockHeads] {
        var result: Result<[BlockHeads], StorageError>?
        log.readHeads(from: index, maxBytes: 3_000) { result = $0 }
        settle()
        guard let result else { preconditionFailure("the read was never answered") }
        return try result.get()
    }

    /// Every block of the log, one read after the other.
    func readAll() throws(StorageError) -> [Block] {
        var blocks: [Block] = []
        var next = log.firstIndex
        while next <= log.lastIndex {
            let more = try read(from: next.rawValue)
            blocks += more
            next = more.last?.last.next ?? log.lastIndex.next
        }
        return blocks
    }

    func close() {
        log.close {}
        settle()
    }
}

extension [Entry] {
    /// Entries whose bytes follow from their index.
    static func numbered(_ count: Int, from base: LogIndex, bytes: Int) -> [Entry] {
        (0 ..< count).map { number in
            let index = (base + number).rawValue
            var payload = ByteBuffer(integer: index)
            payload.writeRepeatingByte(UInt8(truncatingIfNeeded: index), count: Swift.max(0, bytes - 8))
            return Entry(head: ByteBuffer(string: "h\(index)"), payload: payload)
        }
    }
}
