import Basics
import NIOCore
import NIOPosix
import Testing

@testable import SegmentLog

@Suite struct HousekeepingTests {
    @Test func theReadersThreadSealsSegmentsAndTheWriterHearsOfIt() throws {
        let fixture = try LogFixture()
        while fixture.segments.count < 3 { fixture.append(payloadBytes: 300) }
        fixture.writer.runAll()
        func sidecars() throws -> Int {
            try fixture.disk.list(LogFixture.directory).filter { $0.hasSuffix(".index") }.count
        }
        // The first was sealed by the writer, at the latest when the third began.
        #expect(try sidecars() == 1)
        fixture.reader.runAll()
        #expect(try sidecars() == 2)
        #expect(fixture.writer.pending == 1)
        fixture.settle()
        #expect(fixture.failures.isEmpty)
    }

    /// The watermark would say for good that entries are missing.
    @Test func aSegmentThatIsCutRightAfterItWasSealedIsNotTakenForComplete() throws {
        let fixture = try LogFixture()
        while fixture.segments.count < 2 { fixture.append(payloadBytes: 300) }
        fixture.writer.runAll()
        fixture.reader.runAll()
        let first = fixture.segments[0]
        fixture.log.truncate(from: first.last)
        fixture.settle()
        let blocks = try fixture.readAll()
        fixture.disk.restart(losing: .everythingUnflushed)
        #expect(try LogFixture(disk: fixture.disk).readAll() == blocks)
    }

    @Test func aChoreThatFailsPoisonsTheLogWithTheNextCommit() throws {
        let fixture = try LogFixture { $0.preallocate = false }
        while fixture.segments.count < 2 { fixture.append(payloadBytes: 300) }
        fixture.writer.runAll()
        fixture.disk.failNext(.truncate, errno: 5)
        fixture.reader.runAll()
        fixture.append()
        fixture.settle()
        #expect(fixture.failures.count == 1)
    }

    /// On real threads, where a chore may come at any moment of a commit; two logs share them, as shards do.
    @Test(arguments: 0 ..< 6 as Range<UInt64>)
    func choresBesideTheWriterDisturbNothing(seed: UInt64) async throws {
        let directory = try TemporaryDirectory()
        let options = (0 ..< 2).map { number in
            var options = SegmentLogOptions(directory: directory.path + "/shard-\(number)")
            options.segmentBytes = 8.kibibytes
            return options
        }
        let threads = ["writer", "reader"].map { StorageThread(name: $0) }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let done = options.map { _ in loop.makePromise(of: [Block].self) }
        loop.execute {
            for (number, done) in done.enumerated() {
                do {
                    let log = try SegmentLog.open(
                        options: options[number], fileSystem: POSIXFileSystem(), eventLoop: loop, writer: threads[0],
                        reader: threads[1])
                    RandomDriver(log, seed: 2 * seed + UInt64(number), done).run()
                } catch {
                    done.fail(error)
                }
            }
        }
        let kept = try await EventLoopFuture.whenAllSucceed(done.map(\.futureResult), on: loop).get()
        for thread in threads { thread.stop() }
        try await group.shutdownGracefully()
        for (options, kept) in zip(options, kept) {
            let verification = try LogInspector(options: options, fileSystem: POSIXFileSystem()).verify()
            #expect(verification.isSound)
            #expect(verification.segments.reduce(0) { $0 + $1.blocks } >= kept.count)
        }
    }
}

/// Appends, cuts and reclaims at random, some hundred times; then closes the log.
///
/// Owner: the log's loop.
private final class RandomDriver {
    private let log: SegmentLog
    private let encoder = BlockEncoder()
    private let done: EventLoopPromise<[Block]>
    private var random: RandomSource
    private var rounds = 300
    private var term: UInt64 = 1
    private var blocks: [Block] = []

    init(_ log: SegmentLog, seed: UInt64, _ done: EventLoopPromise<[Block]>) {
        self.log = log
        self.done = done
        random = RandomSource(seed: seed)
    }

    func run() {
        log.onFailure = { [done] in done.fail($0) }
        log.onFlushed = { [self] _, through in if through == log.lastIndex { next() } }
        next()
    }

    private func next() {
        rounds -= 1
        guard rounds > 0 else {
            log.onFlushed = nil
            return log.close { [self] in
                log.onFailure = nil
                done.succeed(blocks)
            }
        }
        let choice = Int.random(in: 0 ..< 20, using: &random)
        if choice == 0, let cut = blocks.suffix(30).randomElement(using: &random) {
            log.truncate(from: cut.base)
            blocks.removeAll { $0.base >= cut.base }
            term += 1
        } else if choice == 1, let first = blocks.dropLast(20).randomElement(using: &random) {
            log.reclaim(below: first.base)
            blocks.removeAll { $0.base < log.firstIndex }
        }
        for _ in 0 ..< Int.random(in: 1 ... 40, using: &random) {
            let base = log.lastIndex.next
            let entries: [Entry] = .numbered(2, from: base, bytes: Int.random(in: 10 ... 2_000, using: &random))
            let encoded = encoder.encode(entries, shard: .metadata, compression: .off)
            blocks.append(log.append(encoded, base: base, term: Term(term), token: 0))
        }
    }
}
